// Fan-out: one publisher, several subscribers with a channel with room for 1024 each; every message
// is sent to every one of them.
package main

import (
	"sync"
	"time"

	"peers/bench"
)

const room = 1024

func run(subscribers, messages int) time.Duration {
	inboxes := make([]chan bench.Payload, subscribers)
	var done sync.WaitGroup
	for i := range inboxes {
		inbox := make(chan bench.Payload, room)
		inboxes[i] = inbox
		done.Add(1)
		go func() {
			defer done.Done()
			received := 0
			for range inbox {
				received++
			}
			bench.Expect("messages of a subscriber", received, messages)
		}()
	}

	var payload bench.Payload
	began := time.Now()
	for n := 0; n < messages; n++ {
		for _, inbox := range inboxes {
			inbox <- payload
		}
	}
	for _, inbox := range inboxes {
		close(inbox)
	}
	done.Wait()
	return time.Since(began)
}

func main() {
	p := bench.Params{"subscribers": 8, "messages": 500000}
	p.Parse()
	run(p["subscribers"], bench.Warm(p["messages"]))
	took := run(p["subscribers"], p["messages"])
	bench.TellRate("deliveries", "msg/s", p["subscribers"]*p["messages"], took)
}
