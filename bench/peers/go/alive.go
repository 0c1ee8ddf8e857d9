// The memory of an idle actor: so many goroutines with a channel with room for one, each of
// which has handled one message and waits for the next.
package main

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"sync"

	"peers/bench"
)

const room = 1

func actor(inbox <-chan int, heard *sync.WaitGroup) {
	for range inbox {
		heard.Done()
	}
}

func start(actors int) []chan int {
	inboxes := make([]chan int, actors)
	var heard sync.WaitGroup
	heard.Add(actors)
	for i := range inboxes {
		inboxes[i] = make(chan int, room)
		go actor(inboxes[i], &heard)
		inboxes[i] <- i
	}
	heard.Wait()
	return inboxes
}

// resident returns what /proc says is in memory.
func resident() int {
	text, err := os.ReadFile("/proc/self/statm")
	fields := bytes.Fields(text)
	if err != nil || len(fields) < 2 {
		bench.Fail("/proc/self/statm cannot be read: %v", err)
	}
	pages, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		bench.Fail("/proc/self/statm: %v", err)
	}
	return pages * os.Getpagesize()
}

func main() {
	p := bench.Params{"actors": 1000000}
	p.Parse()
	before := resident()
	inboxes := start(p["actors"])
	after := resident()
	runtime.KeepAlive(inboxes)
	bench.Tell("bytes", "B", float64(after-before)/float64(p["actors"]))
}
