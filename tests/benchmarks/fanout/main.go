// Fan-out, measured from the clients' side: how long from the first to the last of N watchers a change takes.
//
//	fanout clients ADDRESS TARGET N STUCK   open N watches, tell of each change, ping every 5 s;
//	                                        STUCK more never read a byte
//	fanout floor N                          a server that does nothing but a send() loop: what the kernel costs
//
// Both print a line of JSON for each thing that happened, end when standard input ends, and end by themselves after
// LIMIT. One thread and one epoll instance each: a client with a goroutine for each watch would measure the scheduler.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

const LIMIT = 5 * time.Minute

func main() {
	time.AfterFunc(LIMIT, func() { fail("it took too long") })
	if len(os.Args) == 6 && os.Args[1] == "clients" {
		clients(os.Args[2], os.Args[3], number(os.Args[4]), number(os.Args[5]))
	} else if len(os.Args) == 3 && os.Args[1] == "floor" {
		floor(number(os.Args[2]))
	} else {
		fail("usage: fanout clients ADDRESS TARGET N STUCK | fanout floor N")
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	must(err, "a number")
	return value
}

func must(err error, what string) {
	if err != nil {
		fail(what + ": " + err.Error())
	}
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, "fanout:", why)
	os.Exit(1)
}
