// Fan-in: several producers send to one consumer over one channel with room for 1024, which is
// closed when all of them are done.
package main

import (
	"sync"
	"time"

	"peers/bench"
)

const room = 1024

func run(producers, messages int) time.Duration {
	inbox := make(chan bench.Payload, room)
	var wg sync.WaitGroup
	began := time.Now()
	for i := 0; i < producers; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var payload bench.Payload
			for n := 0; n < messages/producers; n++ {
				inbox <- payload
			}
		}()
	}
	go func() {
		wg.Wait()
		close(inbox)
	}()

	count := 0
	for range inbox {
		count++
	}
	took := time.Since(began)
	bench.Expect("messages consumed", count, messages/producers*producers)
	return took
}

func main() {
	p := bench.Params{"producers": 4, "messages": 4000000, "payload": bench.PayloadSize}
	p.Parse()
	messages := p["messages"] / p["producers"] * p["producers"]
	run(p["producers"], bench.Warm(messages))
	bench.TellRate("messages", "msg/s", messages, run(p["producers"], messages))
}
