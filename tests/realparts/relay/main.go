// A TURN server for tests that reads our documents as stunnerd does: it watches the config discovery service, keeps
// its last configuration through everything, and restarts a listener only when its name, address, port, certificate
// or realm changes. It stands on the library that stunnerd itself stands on. `relay probe` is a client for the
// transports that Python has none for.
package main

import (
	"bytes"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

const (
	pingEvery   = 5 * time.Second
	silence     = 8 * time.Second
	reconnectIn = time.Second
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "probe" {
		probe(os.Args[2:])
		return
	}
	documents := make(chan []byte)
	var ready atomic.Bool
	go health(&ready)
	go watch(documents)
	serving := &relay{map[string]*listener{}}
	var last []byte
	for text := range documents {
		if bytes.Equal(text, last) {
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
	http.HandleFunc("/live", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/ready", func(answer http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			answer.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	log.Fatal(http.ListenAndServe(os.Getenv("HEALTH_ADDRESS"), nil))
}

// watch sends every message of the discovery service, and dials again a second after any loss, for ever.
func watch(documents chan<- []byte) {
	for {
		if err := watchOnce(documents); err != nil {
			log.Printf("watch: %v", err)
		}
		time.Sleep(reconnectIn)
	}
}

func watchOnce(documents chan<- []byte) error {
	origin, err := url.Parse(os.Getenv("STUNNER_CONFIG_ORIGIN"))
	if err != nil {
		return err
	}
	query := "watch=true"
	if node := os.Getenv("STUNNER_NODENAME"); node != "" {
		query = "node=" + url.QueryEscape(node) + "&" + query
	}
	path := fmt.Sprintf("/api/v1/configs/%s/%s", os.Getenv("STUNNER_NAMESPACE"), os.Getenv("STUNNER_NAME"))
	connection, _, err := websocket.DefaultDialer.Dial("ws://"+origin.Host+path+"?"+query, nil)
	if err != nil {
		return err
	}
	defer connection.Close()
	connection.SetPongHandler(func(string) error { return connection.SetReadDeadline(time.Now().Add(silence)) })
	done := make(chan struct{})
	defer close(done)
	go ping(connection, done)
	for {
		if err := connection.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return err
		}
		kind, text, err := connection.ReadMessage()
		if err != nil {
			return err
		}
		if kind == websocket.TextMessage {
			documents <- text
		}
	}
}

func ping(connection *websocket.Conn, done <-chan struct{}) {
	ticker := time.NewTicker(pingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			_ = connection.WriteControl(websocket.PingMessage, []byte("keepalive"), time.Now().Add(time.Second))
		}
	}
}
