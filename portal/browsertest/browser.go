// Package browsertest drives Debian's chromium in tests, over the pipe of its
// debugging protocol: no port, no driver, and no script of the page runs.
package browsertest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long one step of the browser may take.
const patience = 60 * time.Second

// Browser is a chromium with one page, without scripts.
type Browser struct {
	t       testing.TB
	cmd     *exec.Cmd
	to      *os.File
	session string

	mu      sync.Mutex
	last    int
	answers map[int]chan reply
	loaded  chan struct{}
}

type reply struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// Start begins a browser that ends with the test. It fails the test where
// there is no chromium: .ci/servers installs it.
func Start(t testing.TB) *Browser {
	t.Helper()
	dir, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	theirs, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, back, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	b := &Browser{t: t, to: to, answers: map[int]chan reply{}, loaded: make(chan struct{}, 16)}
	b.cmd = exec.Command("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--lang=en",
		"--user-data-dir="+dir, "--remote-debugging-pipe", "about:blank")
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	b.cmd.ExtraFiles = []*os.File{theirs, back}
	if err := b.cmd.Start(); err != nil {
		t.Fatalf("start chromium: %v; .ci/servers installs it", err)
	}
	theirs.Close()
	back.Close()
	ended := make(chan struct{})
	go func() { b.listen(from); close(ended) }()
	t.Cleanup(func() {
		to.Close() // a browser without a pipe ends
		stop := time.AfterFunc(5*time.Second, func() { b.cmd.Process.Kill() })
		b.cmd.Wait()
		stop.Stop()
		syscall.Kill(-b.cmd.Process.Pid, syscall.SIGKILL) // what it left behind
		from.Close()
		<-ended
		os.RemoveAll(dir)
	})
	b.attach()
	return b
}

func (b *Browser) attach() {
	b.t.Helper()
	var target struct {
		ID string `json:"targetId"`
	}
	b.call(&target, "Target.createTarget", map[string]any{"url": "about:blank"})
	var session struct {
		ID string `json:"sessionId"`
	}
	b.call(&session, "Target.attachToTarget", map[string]any{"targetId": target.ID, "flatten": true})
	b.session = session.ID
	for _, domain := range []string{"Page.enable", "DOM.enable", "Runtime.enable"} {
		b.call(nil, domain, nil)
	}
	b.call(nil, "Emulation.setScriptExecutionDisabled", map[string]any{"value": true})
}

// listen hands answers to those who wait for them.
func (b *Browser) listen(from *os.File) {
	lines := bufio.NewReaderSize(from, 1<<20)
	for {
		line, err := lines.ReadBytes(0)
		if err != nil {
			return
		}
		var m struct {
			ID     int    `json:"id"`
			Method string `json:"method"`
			reply
		}
		if json.Unmarshal(bytes.TrimSuffix(line, []byte{0}), &m) != nil {
			continue
		}
		if m.Method == "Page.loadEventFired" {
			select {
			case b.loaded <- struct{}{}:
			default:
			}
		}
		b.mu.Lock()
		if c := b.answers[m.ID]; c != nil {
			c <- m.reply
			delete(b.answers, m.ID)
		}
		b.mu.Unlock()
	}
}

// call is one command of the protocol; its result goes into out.
func (b *Browser) call(out any, method string, params map[string]any) {
	b.t.Helper()
	c := make(chan reply, 1)
	b.mu.Lock()
	b.last++
	m := map[string]any{"id": b.last, "method": method, "params": params}
	if b.session != "" {
		m["sessionId"] = b.session
	}
	b.answers[b.last] = c
	b.mu.Unlock()
	text, _ := json.Marshal(m)
	if _, err := b.to.Write(append(text, 0)); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	select {
	case r := <-c:
		if r.Error != nil {
			b.t.Fatalf("%s: %s", method, r.Error.Message)
		}
		if out != nil {
			if err := json.Unmarshal(r.Result, out); err != nil {
				b.t.Fatalf("%s: %v in %s", method, err, r.Result)
			}
		}
	case <-time.After(patience):
		b.t.Fatalf("%s: no answer", method)
	}
}

// Size makes the page as wide as a screen; below 600 it is a phone's.
func (b *Browser) Size(width, height int) {
	b.t.Helper()
	b.call(nil, "Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
}

// Dark chooses the reader's colours.
func (b *Browser) Dark(yes bool) {
	b.t.Helper()
	scheme := map[bool]string{true: "dark", false: "light"}[yes]
	b.call(nil, "Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}})
}

// Print shows the page as it is printed.
func (b *Browser) Print(yes bool) {
	b.t.Helper()
	b.call(nil, "Emulation.setEmulatedMedia", map[string]any{"media": map[bool]string{true: "print", false: ""}[yes]})
}

// Open loads a page.
func (b *Browser) Open(url string) {
	b.t.Helper()
	b.drain()
	b.call(nil, "Page.navigate", map[string]any{"url": url})
	b.wait()
}

func (b *Browser) drain() {
	for {
		select {
		case <-b.loaded:
		default:
			return
		}
	}
}

func (b *Browser) wait() {
	b.t.Helper()
	select {
	case <-b.loaded:
	case <-time.After(patience):
		b.t.Fatal("the page was not loaded")
	}
}

// Eval is the value of an expression on the page, as text.
func (b *Browser) Eval(expression string) string {
	b.t.Helper()
	var r struct {
		Result struct {
			Value any `json:"value"`
		} `json:"result"`
		Exception *struct {
			Text string `json:"text"`
		} `json:"exceptionDetails"`
	}
	b.call(&r, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true})
	if r.Exception != nil {
		b.t.Fatalf("%s: %s", expression, r.Exception.Text)
	}
	return fmt.Sprint(r.Result.Value)
}

// find is a selector as an expression.
func find(selector string) string {
	text, _ := json.Marshal(selector)
	return "document.querySelector(" + string(text) + ")"
}

// Text is what a reader sees of an element, "" where it is hidden.
func (b *Browser) Text(selector string) string {
	b.t.Helper()
	return b.Eval(find(selector) + "?.innerText ?? ''")
}

// Seen says that an element takes room on the page.
func (b *Browser) Seen(selector string) bool {
	b.t.Helper()
	return b.Eval("("+find(selector)+"?.getClientRects().length ?? 0) > 0") == "true"
}

// Value is what a field holds.
func (b *Browser) Value(selector string) string {
	b.t.Helper()
	return b.Eval(find(selector) + ".value")
}

// Set gives a field a value: a list's entry by its value, a text as it is.
func (b *Browser) Set(selector, value string) {
	b.t.Helper()
	text, _ := json.Marshal(value)
	if b.Eval("(e => { if (!e) return 'none'; e.value = "+string(text)+"; return e.value })("+find(selector)+")") != value {
		b.t.Fatalf("%s does not take %q", selector, value)
	}
}

// Type writes into a field as a keyboard does.
func (b *Browser) Type(selector, text string) {
	b.t.Helper()
	b.Eval(find(selector) + ".focus()")
	b.call(nil, "Input.insertText", map[string]any{"text": text})
}

// Files chooses files in a field.
func (b *Browser) Files(selector string, paths ...string) {
	b.t.Helper()
	var doc struct {
		Root struct {
			ID int `json:"nodeId"`
		} `json:"root"`
	}
	b.call(&doc, "DOM.getDocument", nil)
	var node struct {
		ID int `json:"nodeId"`
	}
	b.call(&node, "DOM.querySelector", map[string]any{"nodeId": doc.Root.ID, "selector": selector})
	b.call(nil, "DOM.setFileInputFiles", map[string]any{"nodeId": node.ID, "files": paths})
}

// Click presses the mouse on an element.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	var box struct{ X, Y float64 }
	text := b.Eval("(e => { e.scrollIntoView({block: 'center', behavior: 'instant'}); const r = e.getBoundingClientRect(); return JSON.stringify({x: r.x + Math.min(r.width / 2, 40), y: r.y + r.height / 2}) })(" + find(selector) + ")")
	if err := json.Unmarshal([]byte(text), &box); err != nil {
		b.t.Fatalf("click %s: %s", selector, text)
	}
	for _, what := range []string{"mousePressed", "mouseReleased"} {
		b.call(nil, "Input.dispatchMouseEvent", map[string]any{"type": what, "x": box.X, "y": box.Y, "button": "left", "clickCount": 1})
	}
}

// Follow clicks and waits for the next page.
func (b *Browser) Follow(selector string) {
	b.t.Helper()
	b.drain()
	b.Click(selector)
	b.wait()
}

// Overflows names what is wider than the screen, "" if nothing is.
func (b *Browser) Overflows() string {
	b.t.Helper()
	return b.Eval(`(() => { const w = document.documentElement.clientWidth; if (document.documentElement.scrollWidth <= w) return '';
		return [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > w + 1).map(e => e.tagName + '.' + e.className + '#' + e.id).slice(0, 5).join(' ') || 'something' })()`)
}

// Shot keeps a picture of the whole page as NAME.png in the folder that
// GUICHET_SHOTS names; without it none is made.
func (b *Browser) Shot(name string) {
	b.t.Helper()
	dir := os.Getenv("GUICHET_SHOTS")
	if dir == "" {
		return
	}
	var shot struct {
		Data string `json:"data"`
	}
	b.call(&shot, "Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true})
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		if err = os.MkdirAll(dir, 0o755); err == nil {
			err = os.WriteFile(filepath.Join(dir, strings.ReplaceAll(name, "/", "-")+".png"), png, 0o644)
		}
	}
	if err != nil {
		b.t.Error(err)
	}
}
