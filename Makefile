# make run     build and serve config.example.yaml
# make test    all tests; installs the servers they need
# make help    the other targets

# The one place for the build tag: full-text search in SQLite.
TAGS := sqlite_fts5

# How long each fuzz target runs.
FUZZTIME ?= 5s
# Which figures "make bench" takes: ENGINE/GROUP, as docs/performance.md names them.
BENCH ?=
# The packages to build, test and look at.
PKG ?= ./...

# Of these, the ones that have more to look at with the tag crash.
CRASHPKG = $(if $(filter ./...,$(PKG)),$$(.ci/some --packages 'go:build crash'),$(PKG))
# Which tests "make test" leaves out: those of make fault.
SKIP ?= ^TestFault

# Pinned, so that a new check does not fail an old commit. "go run" keeps the
# module in its cache: only the first time needs the network.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

GO      := go
CONFIG  ?= config.example.yaml
export CGO_ENABLED := 1

# Where tests have their files: in memory, where there is room for them. They
# make thousands of databases; a disk's own part is for make fault and bench.
QUICK = $(shell [ "$$(df -k --output=avail /dev/shm 2>/dev/null | tail -n 1)" -gt 4000000 ] 2>/dev/null && echo "GOTMPDIR=$${TMPDIR:-/tmp} TMPDIR=/dev/shm")

# How many packages are tested at once, and how many tests of one: much of what
# they do is waiting, for timers and for each other's processes.
CORES := $(shell nproc 2>/dev/null || echo 2)
BESIDE := -p $(shell expr $(CORES) + 2) -parallel $(shell expr $(CORES) \* 4)

.PHONY: help build run machine servers test lint race fuzz fuzz-long bench bench-go fault fault-long e2e vuln golden seed clean

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## build    bin/guichet
build: machine
	$(GO) build -tags "$(TAGS)" -o bin/guichet ./cmd/guichet

## run      build, then serve config.example.yaml (CONFIG=FILE for another)
# exec: the gateway takes the shell's place, so that Ctrl-C and TERM reach it.
run: build
	@exec bin/guichet serve --config "$(CONFIG)"

# machine says what is missing on this machine, all of it at once.
machine:
	@.ci/machine

servers:
	@.ci/servers

## test     all tests but the fault tests, on SQLite and PostgreSQL
test: machine servers
	$(QUICK) $(GO) test $(BESIDE) -tags "$(TAGS)" -skip '$(SKIP)' -timeout 10m $(PKG)

## lint     gofmt, go vet, staticcheck
lint: machine
	@unformatted=$$(gofmt -l $$(find . -name '*.go' -not -path './.*')); \
	if [ -n "$$unformatted" ]; then echo "not formatted; run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet -tags "$(TAGS)" $(PKG)
	$(GO) run $(STATICCHECK) -tags "$(TAGS)" $(PKG)
	$(GO) vet -tags "$(TAGS) crash" $(CRASHPKG)
	$(GO) vet -tags "$(TAGS) bench" ./cmd/guichet
	$(GO) run $(STATICCHECK) -tags "$(TAGS) crash bench" $(CRASHPKG)

## race     all tests of what has goroutines, under the race detector
# Nothing here is about memory, and the detector makes its collection dear.
race: machine servers
	packages=$$(.ci/raced $(PKG)) && GOGC=400 $(QUICK) $(GO) test $(BESIDE) -race -short -vet=off -tags "$(TAGS)" -skip '^TestFault' -timeout 15m $$packages

## fuzz     each fuzz target for FUZZTIME (5s); FUZZ=PATTERN for some
fuzz: machine
	@TAGS="$(TAGS)" FUZZTIME="$(FUZZTIME)" FUZZ="$(FUZZ)" .ci/fuzz

## fuzz-long  each for 10 million inputs or 15 minutes, whichever is first: hours
fuzz-long: machine
	@TAGS="$(TAGS)" FUZZTIME=10000000x FUZZLIMIT=15m FUZZ="$(FUZZ)" .ci/fuzz

## bench    the figures of docs/performance.md, within 45 minutes (BENCH=sqlite/ticket: some of them)
# The test program is built and run by hand: "go test" would hold its lines back.
# The gateway is copied, as it is when it is installed: of a file that was just
# linked 5 MB more are resident.
bench: machine servers
	$(GO) build -tags "$(TAGS) bench" -o bin/bench/linked ./cmd/guichet
	cp bin/bench/linked bin/bench/guichet
	$(GO) test -c -tags "$(TAGS) bench" -o bin/bench/test ./cmd/guichet
	@cd cmd/guichet && GUICHET_BIN="$(CURDIR)/bin/bench/guichet" ../../bin/bench/test -test.timeout 45m -test.run '^TestBench$$/$(BENCH)'

## bench-go the Go benchmarks of all packages
bench-go: machine servers
	@.ci/some 'func Benchmark' benchmarks
	$(GO) test -tags "$(TAGS)" -run '^$$' -bench . -benchmem -timeout 45m $$(.ci/some --packages 'func Benchmark')

## fault    the tests that take processes, servers, disks and connections away; a line of figures each
fault: machine servers
	@TAGS="$(TAGS) crash" .ci/fault 15m

## fault-long  the same with many more rounds, for two hours
fault-long: machine servers
	@TAGS="$(TAGS) crash" GUICHET_FAULT=long .ci/fault 120m

## e2e      the stories of testdata/, played by the real binary
e2e: build servers
	@.ci/some 'func TestE2E' 'end-to-end tests'
	GUICHET_BIN="$(CURDIR)/bin/guichet" $(QUICK) $(GO) test $(BESIDE) -tags "$(TAGS)" -count=1 -run '^TestE2E' -timeout 15m $$(.ci/some --packages 'func TestE2E')

## golden   rewrite the expected mails; look at the difference before you keep it
golden: machine
	@.ci/some 'flag.Bool("update"' 'golden files'
	$(GO) test -tags "$(TAGS)" -count=1 $$(.ci/some --packages 'flag.Bool("update"') -update

## seed     keep what today's program makes of its database, for a new schema
seed: machine
	GUICHET_MAKE_SEED=1 $(GO) test -tags "$(TAGS)" -count=1 -run '^TestSeedOfToday$$' ./cmd/guichet

## vuln     known vulnerabilities in what we use; asks vuln.go.dev
vuln: machine
	$(GO) run $(GOVULNCHECK) -tags "$(TAGS)" $(PKG)

## clean    what was built; the mails and tickets of var/ stay
clean:
	rm -rf bin
