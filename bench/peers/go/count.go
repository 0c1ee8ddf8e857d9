// Savina's count: a producer sends so many messages to a counter and then asks it for the result.
// Here the messages are values of 48 bytes on a channel with room for 1024, and asking is closing
// the channel and reading the result from another.
package main

import (
	"time"

	"peers/bench"
)

const room = 1024

func counter(messages <-chan bench.Payload, result chan<- int) {
	count := 0
	for range messages {
		count++
	}
	result <- count
}

func run(messages int) time.Duration {
	inbox := make(chan bench.Payload, room)
	result := make(chan int)
	go counter(inbox, result)

	var payload bench.Payload
	began := time.Now()
	for i := 0; i < messages; i++ {
		inbox <- payload
	}
	close(inbox)
	bench.Expect("messages counted", <-result, messages)
	return time.Since(began)
}

func main() {
	p := bench.Params{"messages": 5000000, "payload": bench.PayloadSize}
	p.Parse()
	run(bench.Warm(p["messages"]))
	bench.TellRate("messages", "msg/s", p["messages"], run(p["messages"]))
}
