package main

import (
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
}

// identity is what makes a listener another one: a change of any of it restarts the listener.
func (l listenerConfig) identity(realm string) string {
	return strings.Join([]string{l.Name, l.Protocol, l.Address, strconv.Itoa(l.Port), l.Cert, l.Key, realm}, "\x00")
}

type clusterConfig struct {
	Name      string
	Type      string
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
	if doc.Auth.Credentials["username"] == "dummy-username" && len(doc.Listeners) == 0 {
		return nil, errors.New("the zero document: the Gateway is gone, and what runs goes on")
	}
	for i, listener := range doc.Listeners {
		doc.Listeners[i].Address = os.ExpandEnv(listener.Address)
		secured := listener.Protocol == "TURN-TLS" || listener.Protocol == "TURN-DTLS"
		if listener.Name == "" || (secured && (listener.Cert == "" || listener.Key == "")) {
			return nil, fmt.Errorf("listener %q lacks a name or a certificate", listener.Name)
		}
	}
	for _, cluster := range doc.Clusters {
		if _, err := cluster.parsed(); err != nil {
			return nil, err
		}
	}
	return &doc, nil
}

func (c clusterConfig) parsed() ([]endpoint, error) {
	found := []endpoint{}
	if c.Type != "STATIC" {
		return found, nil // names are not resolved here
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
		if _, err := fmt.Sscanf(ports, "%d-%d>", &parsed.low, &parsed.high); err != nil {
			return parsed, fmt.Errorf("endpoint %q: %w", text, err)
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
