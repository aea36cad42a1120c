package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/pion/turn/v4"
)

const (
	turnRealm = "mooring.test"
	turnStep  = 64 << 10
)

// turnServer serves TURN over TCP, as a network that lets no UDP out needs it, to one user with one password.
//
// Prints its address and port, then a line for each allocation, and for every 64 KiB that went through: "relayed N".
func turnServer(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("turn", flag.ExitOnError)
	ip := flags.String("address", "127.0.0.1", "IPv4 address")
	user := flags.String("user", "boat", "the one name that is let in")
	password := flags.String("password", "harbour", "its password")
	_ = flags.Parse(args)

	listener, err := net.Listen("tcp4", net.JoinHostPort(*ip, "0"))
	if err != nil {
		return err
	}
	key := turn.GenerateAuthKey(*user, turnRealm, *password)
	server, err := turn.NewServer(turn.ServerConfig{
		Realm: turnRealm,
		AuthHandler: func(name, _ string, _ net.Addr) ([]byte, bool) {
			return key, name == *user
		},
		ListenerConfigs: []turn.ListenerConfig{{
			Listener: listener,
			RelayAddressGenerator: &countedRelays{RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{
				RelayAddress: net.ParseIP(*ip),
				Address:      *ip,
			}},
		}},
	})
	if err != nil {
		return err
	}
	defer server.Close()
	fmt.Println(listener.Addr())
	untilEnd(ctx)
	return nil
}

type countedRelays struct {
	turn.RelayAddressGenerator
	total atomic.Int64
}

func (r *countedRelays) AllocatePacketConn(network string, port int) (net.PacketConn, net.Addr, error) {
	conn, address, err := r.RelayAddressGenerator.AllocatePacketConn(network, port)
	if err != nil {
		return nil, nil, err
	}
	fmt.Println("allocated", address)
	return &countedRelay{conn, &r.total}, address, nil
}

type countedRelay struct {
	net.PacketConn
	total *atomic.Int64
}

func (c *countedRelay) count(n int) {
	if now := c.total.Add(int64(n)); now/turnStep > (now-int64(n))/turnStep {
		fmt.Println("relayed", now)
	}
}

func (c *countedRelay) ReadFrom(p []byte) (int, net.Addr, error) {
	n, from, err := c.PacketConn.ReadFrom(p)
	c.count(n)
	return n, from, err
}

func (c *countedRelay) WriteTo(p []byte, to net.Addr) (int, error) {
	n, err := c.PacketConn.WriteTo(p, to)
	c.count(n)
	return n, err
}
