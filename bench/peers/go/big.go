// Savina's big: each actor pings a partner drawn at random, waits for the pong, and pings the next;
// meanwhile it answers the others. Pings and pongs both count. A sink hears who is done and then
// ends them all. Every actor has one ping under way at most, so that an inbox with room for one of
// each never blocks its sender.
package main

import (
	"math/rand"
	"sync"
	"time"

	"peers/bench"
)

type mail struct {
	from int
	pong bool
}

type actor struct {
	self, partner, pings, pongs int
	random                      *rand.Rand
}

func (a *actor) ping(company []chan mail) {
	a.partner = a.random.Intn(len(company))
	a.pings++
	company[a.partner] <- mail{from: a.self}
}

func (a *actor) run(company []chan mail, pings int, sink chan<- int) {
	a.ping(company)
	for m := range company[a.self] {
		if !m.pong {
			company[m.from] <- mail{from: a.self, pong: true}
			continue
		}
		bench.Expect("who sent the pong", m.from, a.partner)
		a.pongs++
		if a.pings < pings {
			a.ping(company)
		} else {
			sink <- a.pongs
		}
	}
}

func run(actors, pings int) time.Duration {
	company := make([]chan mail, actors)
	sink := make(chan int)
	for i := range company {
		company[i] = make(chan mail, actors+1)
	}
	var gone sync.WaitGroup
	began := time.Now()
	for i := range company {
		a := &actor{self: i, random: rand.New(rand.NewSource(int64(i)))}
		gone.Add(1)
		go func() {
			defer gone.Done()
			a.run(company, pings, sink)
		}()
	}
	pongs := 0
	for range company {
		pongs += <-sink
	}
	took := time.Since(began)
	for _, inbox := range company {
		close(inbox)
	}
	gone.Wait()
	bench.Expect("pongs", pongs, actors*pings)
	return took
}

func main() {
	p := bench.Params{"actors": 120, "pings": 2000}
	p.Parse()
	run(p["actors"], bench.Warm(p["pings"]))
	took := run(p["actors"], p["pings"])
	bench.TellRate("messages", "msg/s", 2*p["actors"]*p["pings"], took)
}
