package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/multiformats/go-multiaddr"
)

type repeated []string

func (r *repeated) String() string     { return strings.Join(*r, ",") }
func (r *repeated) Set(v string) error { *r = append(*r, v); return nil }

func listen(ctx context.Context, args []string) error {
	var o hostOptions
	var addresses repeated
	flags := flag.NewFlagSet("listen", flag.ExitOnError)
	ip := flags.String("address", "127.0.0.1", "IPv4 address for the four default listeners")
	flags.Var(&addresses, "listen", "multiaddr to listen on (repeatable; instead of the default four)")
	flags.Uint64Var(&o.seed, "seed", 0, "make the identity from this number (0: random)")
	flags.BoolVar(&o.relay, "relay", false, "serve as a circuit relay")
	flags.BoolVar(&o.noClose, "no-close", false, "half-close echo streams and never close them")
	topic := flags.String("topic", "", "join this topic and answer what others publish in it")
	_ = flags.Parse(args)
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	o.listen = addresses
	if len(o.listen) == 0 {
		for _, format := range []string{
			"/ip4/%s/udp/0/webrtc-direct",
			"/ip4/%s/udp/0/quic-v1/webtransport",
			"/ip4/%s/tcp/0/ws",
			"/ip4/%s/tcp/0",
		} {
			o.listen = append(o.listen, fmt.Sprintf(format, *ip))
		}
	}

	h, err := newHost(o)
	if err != nil {
		return err
	}
	defer h.Close()
	if *topic != "" {
		if err := answer(ctx, h, *topic); err != nil {
			return err
		}
	}
	h.Network().Notify(&network.NotifyBundle{
		ConnectedF:    func(_ network.Network, c network.Conn) { report("opened", c) },
		DisconnectedF: func(_ network.Network, c network.Conn) { report("closed", c) },
	})

	listening, err := h.Network().InterfaceListenAddresses()
	if err != nil {
		return err
	}
	if len(listening) < len(o.listen) {
		return errors.New("could not listen on every address asked for")
	}
	// Host.Addrs and not the listeners' own: it adds the certhashes a dialer needs.
	for _, a := range h.Addrs() {
		fmt.Println(full(a, h.ID().String()))
	}

	untilEnd(ctx)
	return nil
}

func full(a multiaddr.Multiaddr, peer string) string { return a.String() + "/p2p/" + peer }

func report(what string, c network.Conn) {
	fmt.Fprintf(os.Stderr, "connection %s peer=%s address=%s\n", what, c.RemotePeer(), c.RemoteMultiaddr())
}
