package templates

import (
	"runtime"
	"testing"
)

// BenchmarkRender makes the text and the HTML of each golden mail.
func BenchmarkRender(b *testing.B) {
	set, err := Load("")
	if err != nil {
		b.Fatal(err)
	}
	zone := paris(b)
	for _, lang := range languages {
		for _, v := range golden(zone) {
			m := plainMail(zone, lang == "fr")
			v.change(m, lang == "fr")
			name := lang + "/" + string(v.kind)
			if v.name != "" {
				name += "-" + v.name
			}
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := set.Mail(v.kind, lang, m); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkLoadHeap reads and checks the built-in set; heap-KB is what one set
// keeps.
func BenchmarkLoadHeap(b *testing.B) {
	b.ReportAllocs()
	var set *Set
	before := heap()
	for b.Loop() {
		var err error
		if set, err = Load(""); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(heap()-before)/1024, "heap-KB")
	runtime.KeepAlive(set)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
