// Savina's fork-join creation: so many actors, here goroutines with a channel of their own, are
// made, get one message, do a little arithmetic, and end.
package main

import (
	"sync"
	"time"

	"peers/bench"
)

func work(inbox <-chan float64, done *sync.WaitGroup) {
	bench.Work(<-inbox)
	done.Done()
}

func run(actors int) time.Duration {
	var done sync.WaitGroup
	began := time.Now()
	for i := 0; i < actors; i++ {
		done.Add(1)
		inbox := make(chan float64, 1)
		go work(inbox, &done)
		inbox <- bench.Theta
	}
	done.Wait() // returns when every one of them said so
	return time.Since(began)
}

func main() {
	p := bench.Params{"actors": 200000}
	p.Parse()
	run(bench.Warm(p["actors"]))
	bench.TellRate("actors", "actors/s", p["actors"], run(p["actors"]))
}
