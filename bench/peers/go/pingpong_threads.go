// Savina's pingpong between two goroutines that are locked to a thread each, over two channels with
// room for the ball. The scheduler parks a thread whose goroutine waits; a Go program has no say in
// that.
package main

import (
	"runtime"
	"time"

	"peers/bench"
)

func pong(balls <-chan int, back chan<- int) {
	runtime.LockOSThread()
	for ball := range balls {
		back <- ball
	}
}

func run(rounds int, warm bool) (int, time.Duration) {
	balls, back := make(chan int, 1), make(chan int, 1)
	go pong(balls, back)

	limit := bench.NewLimit(warm)
	done := 0
	began := time.Now()
	for done < rounds && !limit.Over(done) {
		balls <- done
		bench.Expect("the ball that came back", <-back, done)
		done++
	}
	took := time.Since(began)
	close(balls)
	return done, took
}

func main() {
	p := bench.Params{"rounds": 200000}
	p.Parse()
	runtime.LockOSThread()
	run(bench.Warm(p["rounds"]), true)
	rounds, took := run(p["rounds"], false)
	bench.TellRound("parked", rounds, took)
}
