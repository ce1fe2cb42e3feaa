package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	dialling  = 256 // connections on their way at once
	pingEvery = 5 * time.Second
	tick      = 50 * time.Millisecond
	heads     = 512 // bytes of an answer's head that are looked at
)

// A masked ping as stunnerd sends it, "keepalive"; the mask is zero, which is one like any other.
var ping = append([]byte{0x89, 0x80 | 9, 0, 0, 0, 0}, "keepalive"...)

// watch is one connection: first it waits for the head of the answer, then it counts messages.
type watch struct {
	fd       int
	open     bool // the head has come
	head     []byte
	header   [10]byte // of the frame that is being read
	have     int      // bytes of it
	left     int      // bytes of the payload still to come
	text     bool
	messages int
}

// arrivals of one message at all watches.
type arrivals struct {
	count       int
	first, last time.Time
}

type crowd struct {
	epoll    int
	request  []byte
	address  syscall.SockaddrInet4
	watches  []*watch
	byFd     map[int32]*watch
	opened   int
	messages []arrivals
	pinged   int
}

// clients opens n watches, prints "ready" when each has its first document, and then each change once all have it.
func clients(address, target string, n, stuck int) {
	runtime.LockOSThread()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	c := &crowd{request: request(address, target), address: resolved(address), byFd: map[int32]*watch{}}
	var err error
	c.epoll, err = syscall.EpollCreate1(0)
	must(err, "epoll")
	for range stuck {
		c.dialStuck()
	}
	c.run(n)
}

func (c *crowd) run(n int) {
	began, ticked := time.Now(), time.Now()
	events := make([]syscall.EpollEvent, 512)
	buffer := make([]byte, 256*1024)
	ready := false
	for {
		for len(c.watches) < n && len(c.watches)-c.opened < dialling {
			c.dial()
		}
		count, err := syscall.EpollWait(c.epoll, events, int(tick.Milliseconds()))
		if err != nil && err != syscall.EINTR {
			must(err, "epoll")
		}
		for _, event := range events[:max(count, 0)] {
			c.read(c.byFd[event.Fd], buffer)
		}
		if !ready && len(c.messages) > 0 && c.messages[0].count == n {
			ready = true
			fmt.Printf("{\"ready\": %d, \"seconds\": %.3f}\n", n, time.Since(began).Seconds())
		}
		for ready && len(c.messages) > 1 && c.messages[1].count == n {
			change := c.messages[1]
			fmt.Printf("{\"first_to_last_ms\": %.3f}\n", change.last.Sub(change.first).Seconds()*1000)
			c.messages = append(c.messages[:1], c.messages[2:]...)
			for _, w := range c.watches {
				w.messages--
			}
		}
		if ready && time.Since(ticked) >= tick {
			c.ping(int(float64(n) * float64(time.Since(ticked)) / float64(pingEvery)))
			ticked = time.Now()
		}
	}
}

func (c *crowd) dial() {
	fd := c.connect(0)
	w := &watch{fd: fd}
	c.watches = append(c.watches, w)
	c.byFd[int32(fd)] = w
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
	must(syscall.EpollCtl(c.epoll, syscall.EPOLL_CTL_ADD, fd, &event), "epoll")
}

// dialStuck opens a watch that never reads; its window is small, so that the server has to keep what it sends.
func (c *crowd) dialStuck() { c.connect(4096) }

func (c *crowd) connect(window int) int {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	must(err, "socket")
	if window > 0 {
		must(syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, window), "window")
	}
	// On loopback a connection is there at once, or when the backlog has room again.
	must(syscall.Connect(fd, &c.address), "connect")
	_, err = syscall.Write(fd, c.request)
	must(err, "request")
	must(syscall.SetNonblock(fd, true), "socket")
	return fd
}

func (c *crowd) read(w *watch, buffer []byte) {
	n, err := syscall.Read(w.fd, buffer)
	if err == syscall.EAGAIN {
		return
	}
	must(err, "read")
	if n == 0 {
		fail("the server hung up")
	}
	data := buffer[:n]
	if !w.open {
		data = c.readHead(w, data)
	}
	for len(data) > 0 {
		data = c.readFrame(w, data)
	}
}

func (c *crowd) readHead(w *watch, data []byte) []byte {
	w.head = append(w.head, data...)
	end := bytes.Index(w.head, []byte("\r\n\r\n"))
	if end < 0 && len(w.head) < heads {
		return nil
	}
	if end < 0 || !bytes.HasPrefix(w.head, []byte("HTTP/1.1 101 ")) {
		fail("the answer was " + strings.SplitN(string(w.head), "\r\n", 2)[0])
	}
	rest := w.head[end+4:]
	w.head, w.open = nil, true
	c.opened++
	return rest
}

func (c *crowd) readFrame(w *watch, data []byte) []byte {
	if w.left == 0 {
		taken := copy(w.header[w.have:w.headerSize()], data)
		w.have += taken
		data = data[taken:]
		if w.have < w.headerSize() {
			return data
		}
		w.left, w.text = w.length(), w.header[0] == 0x81
		if w.header[0] == 0x88 {
			fail("the server said goodbye")
		}
	}
	taken := min(w.left, len(data))
	w.left -= taken
	if w.left == 0 {
		w.have = 0
		if w.text {
			c.arrived(w)
		}
	}
	return data[taken:]
}

func (w *watch) headerSize() int {
	if w.have < 2 {
		return 2
	}
	switch w.header[1] {
	case 126:
		return 4
	case 127:
		return 10
	}
	return 2
}

func (w *watch) length() int {
	switch w.header[1] {
	case 126:
		return int(binary.BigEndian.Uint16(w.header[2:]))
	case 127:
		return int(binary.BigEndian.Uint64(w.header[2:]))
	}
	return int(w.header[1])
}

func (c *crowd) arrived(w *watch) {
	if w.messages == len(c.messages) {
		c.messages = append(c.messages, arrivals{first: time.Now()})
	}
	message := &c.messages[w.messages]
	message.count++
	message.last = time.Now()
	w.messages++
}

// ping pings the next count watches.
func (c *crowd) ping(count int) {
	for range count {
		c.pinged = (c.pinged + 1) % len(c.watches)
		_, err := syscall.Write(c.watches[c.pinged].fd, ping)
		must(err, "ping")
	}
}

func resolved(address string) syscall.SockaddrInet4 {
	found, err := net.ResolveTCPAddr("tcp4", address)
	must(err, "address")
	return syscall.SockaddrInet4{Port: found.Port, Addr: [4]byte(found.IP.To4())}
}

func request(address, target string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", target, address)
}
