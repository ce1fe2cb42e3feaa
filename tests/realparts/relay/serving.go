package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"log"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/turn/v5"
)

// running is what a listener heeds at this moment; a change of it interrupts nobody.
type running struct {
	doc      *document
	admitted admission
}

type listener struct {
	identity string
	state    atomic.Pointer[running]
	server   *turn.Server
}

// relay serves the listeners of the newest document.
type relay struct{ listeners map[string]*listener }

// apply makes a document the one in force: listeners that became others restart, the rest go on.
func (r *relay) apply(doc *document) {
	wanted := map[string]listenerConfig{}
	for _, config := range doc.Listeners {
		wanted[config.Name] = config
	}
	for name, old := range r.listeners {
		if config, stays := wanted[name]; !stays || config.identity(doc.Auth.Realm) != old.identity {
			log.Printf("listener %s ends", name)
			_ = old.server.Close()
			delete(r.listeners, name)
		}
	}
	for _, config := range doc.Listeners {
		state := &running{doc, admissionOf(doc, config)}
		if old, serves := r.listeners[config.Name]; serves {
			old.state.Store(state)
			continue
		}
		started := &listener{identity: config.identity(doc.Auth.Realm)}
		started.state.Store(state)
		if err := started.start(config, doc.Auth.Realm); err != nil {
			log.Printf("listener %s cannot start: %v", config.Name, err)
			continue
		}
		log.Printf("listener %s starts", config.Name)
		r.listeners[config.Name] = started
	}
}

func (l *listener) start(config listenerConfig, realm string) error {
	generator := &guarded{l, turn.RelayAddressGeneratorStatic{RelayAddress: net.ParseIP(config.Address), Address: loopback}}
	may := func(_ net.Addr, peer net.IP) bool { return l.state.Load().admitted.address(peer) }
	settings := turn.ServerConfig{Realm: realm, AuthHandler: l.authenticate}
	if config.Protocol == "TURN-UDP" {
		where := net.JoinHostPort(loopback, strconv.Itoa(config.Port))
		connection, err := bound(func() (net.PacketConn, error) { return net.ListenPacket("udp4", where) })
		if err != nil {
			return err
		}
		settings.PacketConnConfigs = []turn.PacketConnConfig{{
			PacketConn: connection, RelayAddressGenerator: generator, PermissionHandler: may,
		}}
	} else {
		accepting, err := bound(config.accept)
		if err != nil {
			return err
		}
		settings.ListenerConfigs = []turn.ListenerConfig{{
			Listener: accepting, RelayAddressGenerator: generator, PermissionHandler: may,
		}}
	}
	server, err := turn.NewServer(settings)
	l.server = server
	return err
}

func (c listenerConfig) accept() (net.Listener, error) {
	where := net.JoinHostPort(loopback, strconv.Itoa(c.Port))
	if c.Protocol == "TURN-DTLS" {
		address, err := net.ResolveUDPAddr("udp4", where)
		if err != nil {
			return nil, err
		}
		accepting, err := dtls.ListenWithOptions("udp4", address, dtls.WithCertificates(c.certificate))
		return &closing{Listener: accepting}, err
	}
	accepting, err := net.Listen("tcp4", where)
	held := &closing{Listener: accepting}
	if err != nil || c.Protocol == "TURN-TCP" {
		return held, err
	}
	return tls.NewListener(held, &tls.Config{Certificates: []tls.Certificate{c.certificate}}), nil
}

// bound tries for a second: a DTLS socket that was closed a moment ago is given back in its own time.
func bound[T any](open func() (T, error)) (opened T, err error) {
	for range 20 {
		if opened, err = open(); err == nil {
			return opened, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return opened, err
}

// closing is a listener that ends the connections it accepted when it closes: the library leaves them open, and a DTLS
// socket stays bound as long as one of them lives.
type closing struct {
	net.Listener
	accepted sync.Map
}

func (c *closing) Accept() (net.Conn, error) {
	accepted, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	held := &heldConn{accepted, &c.accepted}
	c.accepted.Store(held, nil)
	return held, nil
}

func (c *closing) Close() error {
	err := c.Listener.Close()
	c.accepted.Range(func(held, _ any) bool {
		_ = held.(*heldConn).Close()
		return true
	})
	return err
}

type heldConn struct {
	net.Conn
	holder *sync.Map
}

func (c *heldConn) Close() error {
	c.holder.Delete(c)
	return c.Conn.Close()
}

// authenticate knows static credentials, and ephemeral ones: "<expiry>:<user>" with an HMAC of it for a password.
func (l *listener) authenticate(asked *turn.RequestAttributes) (string, []byte, bool) {
	auth := l.state.Load().doc.Auth
	switch auth.Type {
	case "static":
		if asked.Username != auth.Credentials["username"] {
			return "", nil, false
		}
		return asked.Username, turn.GenerateAuthKey(asked.Username, asked.Realm, auth.Credentials["password"]), true
	case "ephemeral":
		until, err := strconv.ParseInt(strings.Split(asked.Username, ":")[0], 10, 64)
		if err != nil || until < time.Now().Unix() {
			return "", nil, false
		}
		sum := hmac.New(sha1.New, []byte(auth.Credentials["secret"]))
		sum.Write([]byte(asked.Username))
		password := base64.StdEncoding.EncodeToString(sum.Sum(nil))
		return asked.Username, turn.GenerateAuthKey(asked.Username, asked.Realm, password), true
	}
	return "", nil, false
}

// guarded makes relayed sockets that let through only what the listener admits now: a permission that was granted
// once does not outlive the endpoint.
type guarded struct {
	listener *listener
	turn.RelayAddressGeneratorStatic
}

func (g *guarded) AllocatePacketConn(config turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	connection, address, err := g.RelayAddressGeneratorStatic.AllocatePacketConn(config)
	if err != nil {
		return nil, nil, err
	}
	return &guardedConn{connection, g.listener}, address, nil
}

type guardedConn struct {
	net.PacketConn
	listener *listener
}

func (c *guardedConn) admits(peer net.Addr) bool {
	address, isUDP := peer.(*net.UDPAddr)
	return isUDP && c.listener.state.Load().admitted.packet(address.IP, address.Port)
}

func (c *guardedConn) WriteTo(data []byte, peer net.Addr) (int, error) {
	if !c.admits(peer) {
		return len(data), nil
	}
	return c.PacketConn.WriteTo(data, peer)
}

func (c *guardedConn) ReadFrom(data []byte) (int, net.Addr, error) {
	for {
		size, peer, err := c.PacketConn.ReadFrom(data)
		if err != nil || c.admits(peer) {
			return size, peer, err
		}
	}
}
