// An open loop: a goroutine sends by the clock, whether the others get through or not, and another
// notes how long after its moment each message came. The channel has room for 1024. While the
// sender waits for the next moment it lets other goroutines run.
package main

import (
	"runtime"
	"time"

	"peers/bench"
)

const room = 1024

type tick struct {
	due  time.Time
	rest [bench.PayloadSize - 24]byte
}

func receive(ticks <-chan tick, late []time.Duration, done chan<- int) {
	n := 0
	for t := range ticks {
		late[n] = time.Since(t.due)
		n++
	}
	done <- n
}

func run(rate int, late []time.Duration) {
	ticks := make(chan tick, room)
	done := make(chan int)
	go receive(ticks, late, done)
	began := time.Now()
	for i := range late {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(rate))
		for time.Now().Before(due) {
			runtime.Gosched()
		}
		ticks <- tick{due: due}
	}
	close(ticks)
	bench.Expect("messages", <-done, len(late))
}

func main() {
	p := bench.Params{"rate": 100000, "seconds": 2}
	p.Parse()
	if p["rate"] > 2000000 || p["seconds"] > 10 {
		bench.Fail("rate is at most 2000000 and seconds at most 10")
	}
	count := p["rate"] * p["seconds"]
	run(p["rate"], make([]time.Duration, bench.Warm(count)))
	late := make([]time.Duration, count)
	run(p["rate"], late)
	bench.TellQuantiles(late)
}
