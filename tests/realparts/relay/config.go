package main

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// document is what of a configuration the relay heeds; v1 only.
type document struct {
	Version string
	Admin   struct{ Name string }
	Auth    struct {
		Type        string
		Realm       string
		Credentials map[string]string
	}
	Listeners []listenerConfig
	Clusters  []clusterConfig
}

type listenerConfig struct {
	Name     string
	Protocol string
	Address  string
	Port     int
	Cert     string
	Key      string
	Routes   []string

	certificate tls.Certificate
}

// identity is what makes a listener another one: a change of any of it restarts the listener.
func (l listenerConfig) identity(realm string) string {
	return strings.Join([]string{l.Name, l.Protocol, l.Address, strconv.Itoa(l.Port), l.Cert, l.Key, realm}, "\x00")
}

// socket is what no two listeners can have.
func (l listenerConfig) socket() string {
	if l.Protocol == "TURN-UDP" || l.Protocol == "TURN-DTLS" {
		return fmt.Sprintf("udp %d", l.Port)
	}
	return fmt.Sprintf("tcp %d", l.Port)
}

type clusterConfig struct {
	Name      string
	Type      string
	Protocol  string
	Endpoints []string
}

// endpoint is a prefix with a range of ports; all of them are 0 to 65535.
type endpoint struct {
	network   *net.IPNet
	low, high int
}

// parse reads a document, or says why it is to be ignored: then the last one stays in force.
func parse(text []byte) (*document, error) {
	var doc document
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	if doc.Version != "v1" {
		return nil, fmt.Errorf("version %q is not v1", doc.Version)
	}
	if doc.isZero() {
		return nil, errors.New("the zero document: the Gateway is gone, and what runs goes on")
	}
	if err := doc.checkAuth(); err != nil {
		return nil, err
	}
	taken := map[string]bool{}
	for i := range doc.Listeners {
		listener := &doc.Listeners[i]
		if err := listener.complete(); err != nil {
			return nil, fmt.Errorf("listener %q: %w", listener.Name, err)
		}
		if taken["listener "+listener.Name] || taken[listener.socket()] {
			return nil, fmt.Errorf("listener %q: its name or %s is another's", listener.Name, listener.socket())
		}
		taken["listener "+listener.Name], taken[listener.socket()] = true, true
	}
	for _, cluster := range doc.Clusters {
		if _, err := cluster.parsed(); err != nil {
			return nil, err
		}
		if taken["cluster "+cluster.Name] {
			return nil, fmt.Errorf("two clusters %q", cluster.Name)
		}
		taken["cluster "+cluster.Name] = true
	}
	return &doc, nil
}

func (d *document) isZero() bool {
	given := d.Auth.Credentials
	return given["username"] == "dummy-username" && given["password"] == "dummy-password" &&
		len(d.Listeners) == 0 && len(d.Clusters) == 0
}

func (d *document) checkAuth() error {
	needed, known := map[string][]string{
		"static": {"username", "password"}, "ephemeral": {"secret"}, "none": {},
	}[d.Auth.Type]
	if !known {
		return fmt.Errorf("unknown auth.type %q", d.Auth.Type)
	}
	for _, key := range needed {
		if _, given := d.Auth.Credentials[key]; !given {
			return fmt.Errorf("auth.credentials lacks %s", key)
		}
	}
	return nil
}

// complete fills in what a document leaves to the server, and finds what would keep the listener from starting.
func (l *listenerConfig) complete() error {
	l.Address = os.ExpandEnv(l.Address)
	if l.Name == "" || net.ParseIP(l.Address) == nil || l.Port < 1 || l.Port > 65535 {
		return fmt.Errorf("its name, address %q or port %d cannot be", l.Address, l.Port)
	}
	switch l.Protocol {
	case "TURN-UDP", "TURN-TCP":
		return nil
	case "TURN-TLS", "TURN-DTLS":
		return l.readCertificate()
	}
	return fmt.Errorf("unknown protocol %q", l.Protocol)
}

func (l *listenerConfig) readCertificate() error {
	certificate, err := base64.StdEncoding.DecodeString(l.Cert)
	if err != nil {
		return err
	}
	key, err := base64.StdEncoding.DecodeString(l.Key)
	if err != nil {
		return err
	}
	l.certificate, err = tls.X509KeyPair(certificate, key)
	return err
}

func (c clusterConfig) parsed() ([]endpoint, error) {
	found := []endpoint{}
	if c.Type != "STATIC" || c.Protocol == "TCP" {
		return found, nil // names are not resolved here, and peers over TCP not reached
	}
	for _, text := range c.Endpoints {
		parsed, err := parseEndpoint(text)
		if err != nil {
			return nil, fmt.Errorf("cluster %q: %w", c.Name, err)
		}
		found = append(found, parsed)
	}
	return found, nil
}

// parseEndpoint reads IP, IP/len, and either with :<low-high> behind it; the angle brackets are literal.
func parseEndpoint(text string) (endpoint, error) {
	parsed := endpoint{low: 0, high: 65535}
	prefix, ports, ranged := strings.Cut(text, ":<")
	if ranged {
		_, err := fmt.Sscanf(ports, "%d-%d>", &parsed.low, &parsed.high)
		if err != nil || text != fmt.Sprintf("%s:<%d-%d>", prefix, parsed.low, parsed.high) {
			return parsed, fmt.Errorf("endpoint %q has no port range", text)
		}
	}
	if !strings.Contains(prefix, "/") {
		ip := net.ParseIP(prefix)
		if ip == nil {
			return parsed, fmt.Errorf("endpoint %q is no address", text)
		}
		bits := 128
		if ip.To4() != nil {
			bits = 32
		}
		prefix = fmt.Sprintf("%s/%d", prefix, bits)
	}
	_, network, err := net.ParseCIDR(prefix)
	parsed.network = network
	return parsed, err
}

// admission says which peers the clients of one listener may reach.
type admission struct{ clusters [][]endpoint }

func admissionOf(doc *document, listener listenerConfig) admission {
	var found admission
	for _, cluster := range doc.Clusters { // sorted by name
		for _, route := range listener.Routes {
			if route == cluster.Name {
				parsed, _ := cluster.parsed()
				found.clusters = append(found.clusters, parsed)
			}
		}
	}
	return found
}

func (a admission) address(ip net.IP) bool {
	return len(a.first(ip)) > 0
}

// packet heeds the first cluster that holds the address, and no other: as stunnerd does.
func (a admission) packet(ip net.IP, port int) bool {
	for _, each := range a.first(ip) {
		if each.low <= port && port <= each.high {
			return true
		}
	}
	return false
}

func (a admission) first(ip net.IP) []endpoint {
	for _, cluster := range a.clusters {
		var holding []endpoint
		for _, each := range cluster {
			if each.network.Contains(ip) {
				holding = append(holding, each)
			}
		}
		if holding != nil {
			return holding
		}
	}
	return nil
}
