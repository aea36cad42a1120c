package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"time"

	"github.com/pion/datachannel"
	"github.com/pion/webrtc/v4"
)

const (
	rawMessage   = 16 << 10
	rawHighWater = 256 << 10
	rawLowWater  = 128 << 10
	largestOffer = 64 << 10
)

// raw serves plain data channels: what a channel labelled "echo" gets it sends back, one labelled "bulk" is served as
// bulkProtocol is. It is what the benchmarks hold libp2p's streams against.
//
// Prints the URL that offers are posted to. With ?port=N in it the answer names that UDP port (a proxy's) in place of the
// server's own.
func raw(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("raw", flag.ExitOnError)
	ip := flags.String("address", "127.0.0.1", "IPv4 address")
	_ = flags.Parse(args)

	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(*ip)})
	if err != nil {
		return err
	}
	defer socket.Close()
	api := rawAPI(socket)
	listener, err := net.Listen("tcp4", net.JoinHostPort(*ip, "0"))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		offer, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largestOffer))
		if err == nil {
			var answer string
			if answer, err = rawAnswer(api, string(offer)); err == nil {
				_, _ = io.WriteString(w, withPort(answer, r.URL.Query().Get("port")))
				return
			}
		}
		http.Error(w, err.Error(), http.StatusBadRequest)
	})}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	fmt.Printf("http://%s/?udp=%d\n", listener.Addr(), socket.LocalAddr().(*net.UDPAddr).Port)
	untilEnd(ctx)
	return nil
}

func rawAPI(socket net.PacketConn) *webrtc.API {
	var engine webrtc.SettingEngine
	engine.DetachDataChannels()
	// It answers checks and makes none, so that the only path is the one that the browser takes, proxy or not.
	engine.SetLite(true)
	engine.SetIncludeLoopbackCandidate(true)
	engine.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	engine.SetICEUDPMux(webrtc.NewICEUDPMux(nil, socket))
	return webrtc.NewAPI(webrtc.WithSettingEngine(engine))
}

// A remote candidate would be a second path.
var candidates = regexp.MustCompile(`(?m)^a=candidate:.*\r?\n`)

func rawAnswer(api *webrtc.API, offer string) (string, error) {
	connection, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", err
	}
	connection.OnDataChannel(func(channel *webrtc.DataChannel) {
		channel.OnOpen(func() { rawServe(channel) })
	})
	connection.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateFailed || state == webrtc.PeerConnectionStateClosed {
			_ = connection.Close()
		}
	})
	sdp := candidates.ReplaceAllString(offer, "")
	if err := connection.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: sdp}); err != nil {
		return "", err
	}
	answer, err := connection.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(connection)
	if err := connection.SetLocalDescription(answer); err != nil {
		return "", err
	}
	<-gathered
	return connection.LocalDescription().SDP, nil
}

var candidatePort = regexp.MustCompile(`(?m)^(a=candidate:\S+ \d+ udp \d+ \S+) \d+ `)

func withPort(answer, port string) string {
	if port == "" {
		return answer
	}
	return candidatePort.ReplaceAllString(answer, "${1} "+port+" ")
}

func rawServe(channel *webrtc.DataChannel) {
	low := make(chan struct{}, 1)
	channel.SetBufferedAmountLowThreshold(rawLowWater)
	channel.OnBufferedAmountLow(func() {
		select {
		case low <- struct{}{}:
		default:
		}
	})
	detached, err := channel.Detach()
	if err != nil {
		return
	}
	defer detached.Close()
	w := &rawChannel{ReadWriteCloser: detached, channel: channel, low: low, message: make([]byte, largestMessage)}
	if channel.Label() == "bulk" {
		err = transfer(w)
		// The client closes it, once it has everything.
		if err == nil {
			_, _ = w.Read(make([]byte, 1))
		}
	} else {
		_, err = io.CopyBuffer(writerOnly{w}, readerOnly{w}, make([]byte, largestMessage))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		fmt.Fprintln(os.Stderr, "channel", channel.Label(), "ended:", err)
	}
}

// largestMessage is what a browser may send at once.
const largestMessage = 256 << 10

// rawChannel is a channel as a stream of bytes that waits when too much is queued.
type rawChannel struct {
	datachannel.ReadWriteCloser
	channel *webrtc.DataChannel
	low     chan struct{}
	message []byte
	left    []byte
}

func (c *rawChannel) Read(p []byte) (int, error) {
	if len(c.left) == 0 {
		n, err := c.ReadWriteCloser.Read(c.message)
		if err != nil {
			return 0, err
		}
		c.left = c.message[:n]
	}
	n := copy(p, c.left)
	c.left = c.left[n:]
	return n, nil
}

func (c *rawChannel) Write(p []byte) (int, error) {
	for sent := 0; sent < len(p); {
		for c.channel.BufferedAmount() > rawHighWater {
			select {
			case <-c.low:
			case <-time.After(time.Second):
				// A channel that is gone gets no lower.
				if c.channel.ReadyState() != webrtc.DataChannelStateOpen {
					return sent, io.ErrClosedPipe
				}
			}
		}
		n, err := c.ReadWriteCloser.Write(p[sent:min(len(p), sent+rawMessage)])
		sent += n
		if err != nil {
			return sent, err
		}
	}
	return len(p), nil
}

type (
	readerOnly struct{ io.Reader }
	writerOnly struct{ io.Writer }
)

func untilEnd(ctx context.Context) {
	stdinEnded := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(stdinEnded)
	}()
	select {
	case <-ctx.Done():
	case <-stdinEnded: // whoever started us is gone
	}
}
