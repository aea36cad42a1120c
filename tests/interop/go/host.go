package main

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"io"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	libp2pwebrtc "github.com/libp2p/go-libp2p/p2p/transport/webrtc"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
	webtransport "github.com/libp2p/go-libp2p/p2p/transport/webtransport"
)

const (
	echoProtocol = "/mooring/echo/1.0.0"
	perfProtocol = "/perf/1.0.0"
	// Longer than any transfer the tests make; a stream that hangs must not outlive the test.
	streamTimeLimit = 2 * time.Minute
	perfChunk       = 64 << 10
)

type hostOptions struct {
	listen        []string
	seed          uint64
	relay         bool
	noClose       bool
	webrtcVersion int
}

func newHost(o hostOptions) (host.Host, error) {
	key, err := identity(o.seed)
	if err != nil {
		return nil, err
	}
	// The tests open hundreds of streams at once on purpose; the limits under test are the other side's.
	limits, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(rcmgr.InfiniteLimits))
	if err != nil {
		return nil, err
	}
	var webrtcOptions []any
	if o.webrtcVersion != 0 {
		webrtcOptions = append(webrtcOptions, libp2pwebrtc.WithDialerVersion(o.webrtcVersion))
	}
	options := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.ResourceManager(limits),
		libp2p.DisableMetrics(),
		libp2p.Transport(libp2pwebrtc.New, webrtcOptions...),
		libp2p.Transport(webtransport.New),
		libp2p.Transport(quic.NewTransport),
		libp2p.Transport(websocket.New),
		libp2p.Transport(tcp.NewTCPTransport),
	}
	if len(o.listen) > 0 {
		options = append(options, libp2p.ListenAddrStrings(o.listen...))
	} else {
		options = append(options, libp2p.NoListenAddrs)
	}
	if o.relay {
		// A test machine has no public address, and a relay serves only when it believes it is reachable.
		options = append(options, libp2p.ForceReachabilityPublic(), libp2p.EnableRelayService(relay.WithInfiniteLimits()))
	}
	h, err := libp2p.New(options...)
	if err != nil {
		return nil, err
	}
	h.SetStreamHandler(echoProtocol, func(s network.Stream) { echo(s, o.noClose) })
	h.SetStreamHandler(perfProtocol, perf)
	h.SetStreamHandler(bulkProtocol, bulk)
	return h, nil
}

// identity is random, or for a seed the same at each start.
func identity(seed uint64) (crypto.PrivKey, error) {
	source := io.Reader(rand.Reader)
	if seed != 0 {
		var b [32]byte
		binary.BigEndian.PutUint64(b[:], seed)
		source = bytes.NewReader(b[:])
	}
	key, _, err := crypto.GenerateEd25519Key(source)
	return key, err
}

// echo sends every byte back and answers a half-close with a half-close. With noClose it never closes its own stream
// afterwards: such remotes exist, and must not break the later streams of a connection.
func echo(s network.Stream, noClose bool) {
	_ = s.SetDeadline(time.Now().Add(streamTimeLimit))
	if _, err := io.Copy(s, s); err != nil {
		_ = s.Reset()
		return
	}
	if noClose {
		_ = s.CloseWrite()
		return
	}
	_ = s.Close()
}

// perf: the dialer sends eight bytes (how much it wants back, big-endian), then what it likes until it half-closes.
func perf(s network.Stream) {
	_ = s.SetDeadline(time.Now().Add(streamTimeLimit))
	var header [8]byte
	if _, err := io.ReadFull(s, header[:]); err != nil {
		_ = s.Reset()
		return
	}
	if _, err := io.Copy(io.Discard, s); err != nil {
		_ = s.Reset()
		return
	}
	chunk := make([]byte, perfChunk)
	for left := binary.BigEndian.Uint64(header[:]); left > 0; {
		n := min(left, uint64(len(chunk)))
		if _, err := s.Write(chunk[:n]); err != nil {
			_ = s.Reset()
			return
		}
		left -= n
	}
	_ = s.Close()
}
