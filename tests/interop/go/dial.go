package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
)

// result is what dial prints. Times are milliseconds.
type result struct {
	OK         bool      `json:"ok"`
	Error      string    `json:"error,omitempty"`
	Peer       string    `json:"peer,omitempty"`
	Address    string    `json:"address,omitempty"` // of the connection that won
	DialMs     float64   `json:"dialMs"`
	PingMs     []float64 `json:"pingMs"`
	Sequential streams   `json:"sequential"`
	Concurrent streams   `json:"concurrent"`
}

type streams struct {
	Asked  int      `json:"asked"`
	Intact int      `json:"intact"`
	Ms     float64  `json:"ms"`    // all of them
	MaxMs  float64  `json:"maxMs"` // the slowest
	Errors []string `json:"errors,omitempty"`
}

const errorsKept = 5 // of each kind of run: enough to see what went wrong

func dial(ctx context.Context, args []string) error {
	var o hostOptions
	flags := flag.NewFlagSet("dial", flag.ExitOnError)
	flags.IntVar(&o.webrtcVersion, "webrtc-version", 0, "webrtc-direct handshake, 1 or 2 (0: go-libp2p's default)")
	pings := flags.Int("pings", 3, "pings to send")
	sequential := flags.Int("sequential", 0, "echo streams one after another")
	concurrent := flags.Int("concurrent", 0, "echo streams all at once")
	size := flags.Int("bytes", 20_000, "largest payload of an echo stream")
	timeout := flags.Duration("timeout", time.Minute, "for the whole run")
	_ = flags.Parse(args)
	if flags.NArg() != 1 {
		return errors.New("dial takes one multiaddr")
	}
	info, err := peer.AddrInfoFromString(flags.Arg(0))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()

	h, err := newHost(o)
	if err != nil {
		return err
	}
	defer h.Close()

	r := result{Peer: info.ID.String(), PingMs: []float64{}}
	err = func() error {
		start := time.Now()
		if err := h.Connect(ctx, *info); err != nil {
			return fmt.Errorf("dial: %w", err)
		}
		r.DialMs = ms(start)
		if conns := h.Network().ConnsToPeer(info.ID); len(conns) > 0 {
			r.Address = conns[0].RemoteMultiaddr().String()
		}
		answers := ping.Ping(ctx, h, info.ID)
		for range *pings {
			answer, ok := <-answers
			if !ok {
				return errors.New("ping: ended early")
			}
			if answer.Error != nil {
				return fmt.Errorf("ping: %w", answer.Error)
			}
			r.PingMs = append(r.PingMs, float64(answer.RTT.Microseconds())/1000)
		}
		r.Sequential = echoStreams(ctx, h, info.ID, *sequential, 1, *size)
		r.Concurrent = echoStreams(ctx, h, info.ID, *concurrent, *concurrent, *size)
		if r.Sequential.Intact != *sequential || r.Concurrent.Intact != *concurrent {
			return errors.New("echo: not every stream came back intact")
		}
		return nil
	}()
	r.OK = err == nil
	if err != nil {
		r.Error = err.Error()
	}
	line, marshalErr := json.Marshal(r)
	if marshalErr != nil {
		return marshalErr
	}
	fmt.Fprintln(os.Stdout, string(line))
	return err
}

func echoStreams(ctx context.Context, h host.Host, p peer.ID, count, atOnce, size int) streams {
	s := streams{Asked: count}
	start := time.Now()
	var mutex sync.Mutex
	var group sync.WaitGroup
	slots := make(chan struct{}, max(atOnce, 1))
	for i := range count {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			begun := time.Now()
			// From one byte to all of size, so that frames of every fill are seen.
			err := echoOnce(ctx, h, p, 1+(i*size)/max(count, 1))
			mutex.Lock()
			defer mutex.Unlock()
			s.MaxMs = max(s.MaxMs, ms(begun))
			if err == nil {
				s.Intact++
			} else if len(s.Errors) < errorsKept {
				s.Errors = append(s.Errors, fmt.Sprintf("stream %d: %v", i, err))
			}
		})
	}
	group.Wait()
	s.Ms = ms(start)
	return s
}

func echoOnce(ctx context.Context, h host.Host, p peer.ID, size int) error {
	payload := make([]byte, size)
	if _, err := rand.Read(payload); err != nil {
		return err
	}
	s, err := h.NewStream(ctx, p, echoProtocol)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer s.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = s.SetDeadline(deadline)
	}
	sent := make(chan error, 1)
	go func() { sent <- send(s, payload) }()
	// One byte more than sent, so that extra bytes are seen; it ends at the remote's half-close.
	digest := sha256.New()
	n, err := io.Copy(digest, io.LimitReader(s, int64(size)+1))
	if err != nil {
		_ = s.Reset()
		return fmt.Errorf("read after %d of %d bytes: %w", n, size, err)
	}
	if err := <-sent; err != nil {
		return err
	}
	if want := sha256.Sum256(payload); n != int64(size) || string(digest.Sum(nil)) != string(want[:]) {
		return fmt.Errorf("%d bytes came back of %d, or others", n, size)
	}
	return nil
}

func send(s network.Stream, payload []byte) error {
	if _, err := s.Write(payload); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := s.CloseWrite(); err != nil {
		return fmt.Errorf("half-close: %w", err)
	}
	return nil
}

func ms(since time.Time) float64 { return float64(time.Since(since).Microseconds()) / 1000 }
