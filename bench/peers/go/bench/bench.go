// Package bench is what the Go programs share: parameters, the clock that bounds a program, the
// form of an answer, and what Savina's programs do with a message.
//
// A program is called as PROGRAM key=value ..., does a tenth of the work to warm up and then the
// measured run, and prints a JSON object a line for each metric. It exits 0, or 2 for a parameter
// it does not know, or 1 for trouble, having said what.
package bench

import (
	"fmt"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"
)

// life bounds the whole program.
const life = 18 * time.Second

// runLimit and warmLimit cut a run that a slow placement cannot finish; it then speaks of what it
// did by then.
const (
	runLimit  = 5 * time.Second
	warmLimit = 500 * time.Millisecond
)

// PayloadSize is the size of a Payload: a quote.
const PayloadSize = 48

// A Payload is what a message carries where its size matters.
type Payload [PayloadSize]byte

// Params holds a program's parameters by name; Parse reads the command line over them.
type Params map[string]int

// Parse replaces the defaults by what the command line says, and starts the clock.
func (p Params) Parse() {
	for _, arg := range os.Args[1:] {
		key, text, _ := strings.Cut(arg, "=")
		if _, known := p[key]; !known {
			fmt.Fprintf(os.Stderr, "%s: no such parameter here\n", key)
			os.Exit(2)
		}
		value, err := strconv.Atoi(text)
		if err != nil || value < 1 || value > math.MaxUint32 {
			fmt.Fprintf(os.Stderr, "%s: %s is a number from 1 to %d\n", arg, key, math.MaxUint32)
			os.Exit(2)
		}
		if key == "payload" && value != PayloadSize {
			fmt.Fprintf(os.Stderr, "%s: this program is compiled for %d\n", arg, PayloadSize)
			os.Exit(2)
		}
		p[key] = value
	}
	time.AfterFunc(life, func() { Fail("the run took too long and was given up") })
}

// Fail says what went wrong and ends the program.
func Fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}

// Expect fails unless the run came to the right result.
func Expect(what string, got, expected int) {
	if got != expected {
		Fail("%s: %d where %d were expected", what, got, expected)
	}
}

// Warm returns the share of the work that is done beforehand.
func Warm(work int) int {
	if work < 10 {
		return 1
	}
	return work / 10
}

// Tell prints a metric.
func Tell(metric, unit string, value float64) {
	fmt.Printf("{\"metric\":%q,\"unit\":%q,\"value\":%.6g}\n", metric, unit, value)
}

// TellRate prints a metric of things a second.
func TellRate(metric, unit string, done int, took time.Duration) {
	Tell(metric, unit, float64(done)/took.Seconds())
}

// TellRound prints the microseconds of a round.
func TellRound(metric string, rounds int, took time.Duration) {
	Tell(metric, "us", float64(took.Nanoseconds())/1e3/float64(rounds))
}

// TellQuantiles prints the quantiles of the latencies, and sorts them.
func TellQuantiles(late []time.Duration) {
	sort.Slice(late, func(i, j int) bool { return late[i] < late[j] })
	for _, q := range []struct {
		metric string
		share  int
	}{{"p50", 500}, {"p99", 990}, {"p999", 999}} {
		d := late[(len(late)-1)*q.share/1000]
		Tell(q.metric, "us", float64(d.Nanoseconds())/1e3)
	}
}

// A Limit tells when a run is to be cut.
type Limit struct{ end time.Time }

// NewLimit starts the clock of a measured run, or of the warm-up before it.
func NewLimit(warm bool) Limit {
	if warm {
		return Limit{time.Now().Add(warmLimit)}
	}
	return Limit{time.Now().Add(runLimit)}
}

// Over looks at the clock once in a while.
func (l Limit) Over(done int) bool {
	return done%256 == 0 && time.Now().After(l.end)
}

// Theta is what Work is done on.
const Theta = 37.2

// Work is the arithmetic for a message in Savina's fork-join programs.
func Work(theta float64) float64 {
	s := math.Sin(theta)
	if s*s <= 0 {
		Fail("the square of %g is not above zero", s)
	}
	return s * s
}
