package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/turn/v5"
)

// probe allocates at a TURN server and sends packets to a peer that echoes them; it prints how many came back.
func probe(arguments []string) {
	flags := flag.NewFlagSet("probe", flag.ExitOnError)
	transport := flags.String("transport", "udp", "udp, tcp, tls or dtls")
	server := flags.String("server", "", "host:port")
	user := flags.String("user", "", "user name")
	password := flags.String("password", "", "password")
	peer := flags.String("peer", "", "host:port of an echo server")
	count := flags.Int("count", 5, "packets")
	_ = flags.Parse(arguments)
	echoed, err := echo(*transport, *server, *user, *password, *peer, *count)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(echoed)
}

func dial(transport, server string) (net.PacketConn, error) {
	switch transport {
	case "udp":
		return net.ListenPacket("udp4", "0.0.0.0:0")
	case "tcp":
		connection, err := net.Dial("tcp", server)
		if err != nil {
			return nil, err
		}
		return turn.NewSTUNConn(connection), nil
	case "tls":
		// The certificates of tests are self-made.
		connection, err := tls.Dial("tcp", server, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			return nil, err
		}
		return turn.NewSTUNConn(connection), nil
	case "dtls":
		address, err := net.ResolveUDPAddr("udp4", server)
		if err != nil {
			return nil, err
		}
		connection, err := dtls.Dial("udp4", address, &dtls.Config{InsecureSkipVerify: true})
		if err != nil {
			return nil, err
		}
		return turn.NewSTUNConn(connection), nil
	}
	return nil, fmt.Errorf("unknown transport %q", transport)
}

func echo(transport, server, user, password, peer string, count int) (int, error) {
	connection, err := dial(transport, server)
	if err != nil {
		return 0, err
	}
	defer connection.Close()
	client, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: server, STUNServerAddr: server, Conn: connection, Username: user, Password: password,
	})
	if err != nil {
		return 0, err
	}
	defer client.Close()
	if err := client.Listen(); err != nil {
		return 0, err
	}
	relayed, err := client.Allocate()
	if err != nil {
		return 0, err
	}
	defer relayed.Close()
	address, err := net.ResolveUDPAddr("udp4", peer)
	if err != nil {
		return 0, err
	}
	return exchange(relayed, address, count)
}

func exchange(relayed net.PacketConn, peer net.Addr, count int) (int, error) {
	echoed := 0
	answer := make([]byte, 2048)
	for i := range count {
		// Over streams the library waits for 20 bytes: shorter packets are stuck until more follows.
		if _, err := relayed.WriteTo([]byte(fmt.Sprintf("a packet of some length, number %d", i)), peer); err != nil {
			return echoed, err
		}
		if err := relayed.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			return echoed, err
		}
		if _, _, err := relayed.ReadFrom(answer); err == nil {
			echoed++
		}
	}
	return echoed, nil
}
