package main

import (
	"context"
	"crypto/x509"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"github.com/pion/dtls/v3"
)

const largest = 1 << 16

// pipe brings datagrams to a DTLS server and its answers back, over one DTLS connection for each client of its own
// socket, whose address it prints. It runs until it is killed.
func pipe(arguments []string) {
	flags := flag.NewFlagSet("pipe", flag.ExitOnError)
	server := flags.String("server", "", "host:port of the DTLS server")
	authority := flags.String("ca", "", "file with the certificate that vouches for it")
	name := flags.String("name", "localhost", "the name that its certificate is to have")
	_ = flags.Parse(arguments)

	trusted := x509.NewCertPool()
	if text, err := os.ReadFile(*authority); err != nil || !trusted.AppendCertsFromPEM(text) {
		log.Fatalf("-ca %s has no certificate (%v)", *authority, err)
	}
	address, err := net.ResolveUDPAddr("udp4", *server)
	if err != nil {
		log.Fatal(err)
	}
	local, err := net.ListenPacket("udp4", loopback+":0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(local.LocalAddr())
	queues := map[string]chan []byte{}
	packet := make([]byte, largest)
	for {
		n, client, err := local.ReadFrom(packet)
		if err != nil {
			log.Fatal(err)
		}
		queue, known := queues[client.String()]
		if !known {
			queue = make(chan []byte, 64) // what waits for the handshake; more is lost, as on any way
			queues[client.String()] = queue
			back := func(answer []byte) { _, _ = local.WriteTo(answer, client) }
			go func() { log.Printf("%s: %v", client, carry(address, trusted, *name, queue, back)) }()
		}
		select {
		case queue <- append([]byte(nil), packet[:n]...):
		default:
		}
	}
}

// carry serves one client until the server ends the connection; packets that come later vanish.
func carry(server *net.UDPAddr, trusted *x509.CertPool, name string, queue <-chan []byte, back func([]byte)) error {
	connection, err := dtls.DialWithOptions("udp4", server, dtls.WithRootCAs(trusted), dtls.WithServerName(name))
	if err != nil {
		return err
	}
	defer connection.Close()
	within, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := connection.HandshakeContext(within); err != nil {
		return err
	}
	go func() {
		for packet := range queue {
			_, _ = connection.Write(packet)
		}
	}()
	answer := make([]byte, largest)
	for {
		n, err := connection.Read(answer)
		if err != nil {
			return err
		}
		back(answer[:n])
	}
}
