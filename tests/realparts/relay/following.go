package main

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// stunnerd's intervals.
const (
	pingEvery   = 5 * time.Second
	silence     = 8 * time.Second
	reconnectIn = time.Second
)

// follow sends every document of an origin, and comes back a second after any loss, for ever.
func follow(origin string, documents chan<- []byte) {
	var last []byte
	for {
		err := error(nil)
		if path, isFile := strings.CutPrefix(origin, "file://"); isFile {
			last, err = readOnce(path, last, documents)
		} else {
			err = watchOnce(origin, documents)
		}
		if err != nil {
			log.Printf("watch: %v", err)
		}
		time.Sleep(reconnectIn)
	}
}

// readOnce sends a file if it changed. Whoever writes it may be halfway: an empty one is none.
func readOnce(path string, last []byte, documents chan<- []byte) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil || len(text) == 0 || bytes.Equal(text, last) {
		return last, err
	}
	documents <- text
	return text, nil
}

func watchOnce(origin string, documents chan<- []byte) error {
	address, err := url.Parse(origin)
	if err != nil {
		return err
	}
	query := "watch=true"
	if node := os.Getenv("STUNNER_NODENAME"); node != "" {
		query = "node=" + url.QueryEscape(node) + "&" + query
	}
	path := fmt.Sprintf("/api/v1/configs/%s/%s", os.Getenv("STUNNER_NAMESPACE"), os.Getenv("STUNNER_NAME"))
	connection, _, err := websocket.DefaultDialer.Dial("ws://"+address.Host+path+"?"+query, nil)
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
		if kind != websocket.TextMessage {
			return errors.New("a binary message")
		}
		documents <- text
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
