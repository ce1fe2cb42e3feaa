package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

const sendBuffer = 64 * 1024 // as the server that is measured has it

const agreed = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

// floor accepts n connections, answers whatever they ask, and for each line of standard input (a size) sends a text
// frame of so many bytes to all of them, in a loop without anything else.
func floor(n int) {
	runtime.LockOSThread()
	listening, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	must(err, "socket")
	must(syscall.SetsockoptInt(listening, syscall.SOL_SOCKET, syscall.SO_SNDBUF, sendBuffer), "send buffer")
	must(syscall.Bind(listening, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), "bind")
	must(syscall.Listen(listening, 4096), "listen")
	name, err := syscall.Getsockname(listening)
	must(err, "the port")
	fmt.Printf("{\"port\": %d}\n", name.(*syscall.SockaddrInet4).Port)
	connections := make([]int, 0, n)
	request := make([]byte, 4096)
	first := append([]byte(agreed), frame(1024)...)
	for len(connections) < n {
		fd, _, err := syscall.Accept(listening)
		must(err, "accept")
		must(syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1), "no delay")
		length, err := syscall.Read(fd, request)
		must(err, "a request")
		if !bytes.Contains(request[:length], []byte("\r\n\r\n")) {
			fail("a request came in pieces")
		}
		_, err = syscall.Write(fd, first)
		must(err, "the first document")
		connections = append(connections, fd)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		size, err := strconv.Atoi(strings.TrimSpace(lines.Text()))
		must(err, "a size")
		send(connections, frame(size))
	}
}

func send(connections []int, frame []byte) {
	start, length := uintptr(unsafe.Pointer(&frame[0])), uintptr(len(frame))
	for _, fd := range connections {
		sent, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), start, length, 0, 0, 0)
		if errno != 0 || sent != length {
			fail("a frame was not taken whole")
		}
	}
	runtime.KeepAlive(frame)
}

// frame makes a text message of size bytes.
func frame(size int) []byte {
	payload := bytes.Repeat([]byte{'x'}, size)
	switch {
	case size < 126:
		return append([]byte{0x81, byte(size)}, payload...)
	case size < 1<<16:
		return append(binary.BigEndian.AppendUint16([]byte{0x81, 126}, uint16(size)), payload...)
	}
	return append(binary.BigEndian.AppendUint64([]byte{0x81, 127}, uint64(size)), payload...)
}
