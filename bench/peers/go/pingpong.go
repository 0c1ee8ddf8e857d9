// Savina's pingpong: two goroutines send a ball back and forth over two channels with room for the
// ball, which spares the sender a wait for the receiver.
package main

import (
	"time"

	"peers/bench"
)

func pong(balls <-chan int, back chan<- int) {
	for ball := range balls {
		back <- ball
	}
	close(back)
}

func ping(rounds int, balls chan<- int, back <-chan int, took chan<- time.Duration) {
	began := time.Now()
	for i := 0; i < rounds; i++ {
		balls <- i
		bench.Expect("the ball that came back", <-back, i)
	}
	took <- time.Since(began)
	close(balls)
}

func run(rounds int) time.Duration {
	balls, back := make(chan int, 1), make(chan int, 1)
	took := make(chan time.Duration)
	go pong(balls, back)
	go ping(rounds, balls, back, took)
	return <-took
}

func main() {
	p := bench.Params{"rounds": 1000000}
	p.Parse()
	run(bench.Warm(p["rounds"]))
	bench.TellRound("round_trip", p["rounds"], run(p["rounds"]))
}
