// Command peer is a go-libp2p node for the interoperability tests and the benchmarks, with what else these need in Go.
//
//	peer listen [--address IP] [--listen MULTIADDR]... [--seed N] [--relay] [--no-close] [--topic NAME]
//	peer raw    [--address IP]
//	peer proxy  [--address IP] --target ADDRESS:PORT [--delay D] [--loss PERCENT]
//	peer turn   [--address IP] [--user NAME] [--password WORD]
//	peer dial   [--webrtc-version 1|2] [--pings N] [--sequential N] [--concurrent N] [--bytes N] [--timeout D] MULTIADDR
//
// listen prints its full multiaddrs on stdout, one a line, then runs until SIGINT, SIGTERM or the end of its stdin.
// raw serves plain data channels, proxy forwards datagrams badly, turn serves TURN over TCP; they print where they are and run as long.
// dial prints one line of JSON (see result) and exits 0 when everything it was asked to do succeeded, else 1.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: peer listen|raw|proxy|turn|dial [flags]")
		os.Exit(2)
	}
	var err error
	switch os.Args[1] {
	case "listen":
		err = listen(ctx, os.Args[2:])
	case "raw":
		err = raw(ctx, os.Args[2:])
	case "proxy":
		err = proxy(ctx, os.Args[2:])
	case "turn":
		err = turnServer(ctx, os.Args[2:])
	case "dial":
		err = dial(ctx, os.Args[2:])
	default:
		fmt.Fprintf(os.Stderr, "unknown command %q: listen, raw, proxy, turn or dial\n", os.Args[1])
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
