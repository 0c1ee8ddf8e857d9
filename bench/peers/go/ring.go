// Savina's threadring: goroutines in a ring, with a channel with room for one between neighbours,
// pass on the number of hops that are left; who gets 0 tells that the token is home.
package main

import (
	"time"

	"peers/bench"
)

func member(in <-chan int, out chan<- int, home chan<- bool, hops chan<- int) {
	passed := 0
	for left := range in {
		if left == 0 {
			home <- true
			continue
		}
		passed++
		out <- left - 1
	}
	hops <- passed
}

func run(actors, hops int) time.Duration {
	ring := make([]chan int, actors)
	home, passed := make(chan bool), make(chan int)
	for i := range ring {
		ring[i] = make(chan int, 1)
	}
	for i := range ring {
		go member(ring[i], ring[(i+1)%actors], home, passed)
	}

	began := time.Now()
	ring[0] <- hops
	<-home
	took := time.Since(began)

	total := 0
	for _, in := range ring {
		close(in)
		total += <-passed
	}
	bench.Expect("hops", total, hops)
	return took
}

func main() {
	p := bench.Params{"actors": 100, "hops": 5000000}
	p.Parse()
	run(p["actors"], bench.Warm(p["hops"]))
	bench.TellRate("hops", "hops/s", p["hops"], run(p["actors"], p["hops"]))
}
