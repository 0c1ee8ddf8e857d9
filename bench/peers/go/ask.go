// A request with its reply, as Go's users write it: the request carries the channel on which the
// answer comes. Both channels have room for one.
package main

import (
	"time"

	"peers/bench"
)

type request struct {
	value int
	reply chan<- int
}

func server(requests <-chan request) {
	for r := range requests {
		r.reply <- r.value + 1
	}
}

func run(rounds int) time.Duration {
	requests := make(chan request, 1)
	go server(requests)
	took := make(chan time.Duration)
	go func() {
		began := time.Now()
		for i := 0; i < rounds; i++ {
			reply := make(chan int, 1)
			requests <- request{i, reply}
			bench.Expect("the answer", <-reply, i+1)
		}
		took <- time.Since(began)
		close(requests)
	}()
	return <-took
}

func main() {
	p := bench.Params{"rounds": 500000}
	p.Parse()
	run(bench.Warm(p["rounds"]))
	bench.TellRound("round_trip", p["rounds"], run(p["rounds"]))
}
