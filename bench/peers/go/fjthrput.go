// Savina's fork-join throughput: each of so many actors, here a goroutine with a channel with room
// for 1024, gets so many messages in turn with the others, does a little arithmetic for each, and
// ends.
package main

import (
	"sync"
	"time"

	"peers/bench"
)

const room = 1024

func work(inbox <-chan float64, messages int, done *sync.WaitGroup) {
	defer done.Done()
	received, sum := 0, 0.0
	for theta := range inbox {
		received++
		sum += bench.Work(theta)
	}
	bench.Expect("messages of an actor", received, messages)
	if sum <= 0 {
		bench.Fail("the sum is %g", sum)
	}
}

func run(actors, messages int) time.Duration {
	inboxes := make([]chan float64, actors)
	var done sync.WaitGroup
	began := time.Now()
	for i := range inboxes {
		inboxes[i] = make(chan float64, room)
		done.Add(1)
		go work(inboxes[i], messages, &done)
	}
	for n := 0; n < messages; n++ {
		for _, inbox := range inboxes {
			inbox <- bench.Theta
		}
	}
	for _, inbox := range inboxes {
		close(inbox)
	}
	done.Wait()
	return time.Since(began)
}

func main() {
	p := bench.Params{"actors": 60, "messages": 20000}
	p.Parse()
	run(p["actors"], bench.Warm(p["messages"]))
	took := run(p["actors"], p["messages"])
	bench.TellRate("messages", "msg/s", p["actors"]*p["messages"], took)
}
