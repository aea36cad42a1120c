package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

const (
	// As many as 100 MB/s have under way in a tenth of a second; a router would drop more, too.
	proxyQueue   = 8192
	proxyClients = 4096
	// A path without a packet for so long is given up.
	proxySilence = time.Minute
	largestUDP   = 64 << 10
)

// proxy forwards datagrams between its clients and one target, late and not all of them. The kernels of most test
// machines cannot do that to one flow of loopback alone.
//
// Prints the port that it listens on.
func proxy(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("proxy", flag.ExitOnError)
	ip := flags.String("address", "127.0.0.1", "IPv4 address")
	target := flags.String("target", "", "where to, as ADDRESS:PORT")
	delay := flags.Duration("delay", 0, "added round-trip time: half of it each way")
	loss := flags.Float64("loss", 0, "percentage of datagrams lost, each way")
	_ = flags.Parse(args)
	to, err := net.ResolveUDPAddr("udp4", *target)
	if err != nil || to.Port == 0 {
		return fmt.Errorf("--target %q: ADDRESS:PORT", *target)
	}
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(*ip)})
	if err != nil {
		return err
	}
	largeBuffers(socket)
	fmt.Println(socket.LocalAddr().(*net.UDPAddr).Port)
	line := line{delay: *delay / 2, loss: *loss / 100}
	go func() {
		untilEnd(ctx)
		socket.Close()
	}()
	if err := serveProxy(socket, to, line); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func serveProxy(socket *net.UDPConn, to *net.UDPAddr, line line) error {
	var mutex sync.Mutex
	clients := map[string]chan<- packet{}
	buffer := make([]byte, largestUDP)
	for {
		n, from, err := socket.ReadFromUDP(buffer)
		if err != nil {
			return err
		}
		key := from.String()
		mutex.Lock()
		up := clients[key]
		if up == nil && len(clients) < proxyClients {
			server, err := net.DialUDP("udp4", nil, to)
			if err != nil {
				mutex.Unlock()
				return err
			}
			largeBuffers(server)
			up = line.start(func(p []byte) { _, _ = server.Write(p) })
			clients[key] = up
			down := line.start(func(p []byte) { _, _ = socket.WriteToUDP(p, from) })
			go func() {
				forward(server, line, down)
				mutex.Lock()
				delete(clients, key)
				// Closed under the lock: whoever found it in the map has sent by then.
				close(up)
				close(down)
				mutex.Unlock()
				server.Close()
			}()
		}
		if up != nil {
			line.send(up, buffer[:n])
		}
		mutex.Unlock()
	}
}

// forward takes the server's answers, until there have been none for long.
func forward(server *net.UDPConn, line line, down chan<- packet) {
	buffer := make([]byte, largestUDP)
	for {
		_ = server.SetReadDeadline(time.Now().Add(proxySilence))
		n, err := server.Read(buffer)
		if errors.Is(err, net.ErrClosed) || isTimeout(err) {
			return
		}
		// Anything else is the server's port being closed for a while.
		if err == nil {
			line.send(down, buffer[:n])
		}
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

type packet struct {
	due   time.Time
	bytes []byte
}

// line is what a datagram goes through, one way.
type line struct {
	delay time.Duration
	loss  float64
}

func (l line) start(write func([]byte)) chan<- packet {
	queue := make(chan packet, proxyQueue)
	go func() {
		for p := range queue {
			time.Sleep(time.Until(p.due))
			write(p.bytes)
		}
	}()
	return queue
}

func (l line) send(queue chan<- packet, bytes []byte) {
	if rand.Float64() < l.loss {
		return
	}
	select {
	case queue <- packet{time.Now().Add(l.delay), append([]byte(nil), bytes...)}:
	default: // full, as a router's
	}
}

func largeBuffers(socket *net.UDPConn) {
	const bytes = 4 << 20
	_ = socket.SetReadBuffer(bytes)
	_ = socket.SetWriteBuffer(bytes)
}
