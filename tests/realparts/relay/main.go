// A TURN server for tests that reads our documents as stunnerd does: it watches the config discovery service, keeps
// its last configuration through everything, and restarts a listener only when its name, address, port, certificate
// or realm changes. It stands on the library that stunnerd itself stands on.
//
// It is simpler where no test is to lean on stunnerd's ways: a document that could not be applied is refused as a
// whole before anything changes, names are not resolved (a STRICT_DNS cluster admits nobody), SIGTERM ends it without
// draining, and it binds to the loopback address alone. `relay pipe` brings clients that speak no DTLS to a listener
// that does.
package main

import (
	"bytes"
	"flag"
	"log"
	"net/http"
	"os"
	"sync/atomic"
)

const loopback = "127.0.0.1"

func main() {
	if len(os.Args) > 1 && os.Args[1] == "pipe" {
		pipe(os.Args[2:])
		return
	}
	origin := flag.String("c", os.Getenv("STUNNER_CONFIG_ORIGIN"), "http://host:port or file:///path")
	watching := flag.Bool("w", false, "watch the origin: it has no other way")
	// Pods are started with it; one socket a listener does for a test.
	flag.Int("udp-thread-num", 1, "means nothing here")
	flag.Parse()
	if !*watching {
		log.Fatal("this relay only watches: give it -w")
	}
	documents := make(chan []byte)
	var ready atomic.Bool
	go health(&ready)
	go follow(*origin, documents)
	serving := &relay{map[string]*listener{}}
	var last []byte
	for text := range documents {
		if bytes.Equal(text, last) {
			log.Print("the same document again")
			continue
		}
		doc, err := parse(text)
		if err != nil {
			log.Printf("ignored: %v", err)
			continue
		}
		last = text
		serving.apply(doc)
		ready.Store(true)
		log.Printf("applied: %s", doc.Admin.Name)
	}
}

// health answers /live and /ready at HEALTH_ADDRESS; ready means that there has been a configuration.
func health(ready *atomic.Bool) {
	address := os.Getenv("HEALTH_ADDRESS")
	if address == "" {
		address = loopback + ":8086"
	}
	http.HandleFunc("/live", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/ready", func(answer http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			answer.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	log.Fatal(http.ListenAndServe(address, nil))
}
