package main

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

const (
	// bulkProtocol is that of bench/server, which says how it goes.
	bulkProtocol = "/mooring/bench/bulk/1.0.0"
	// A gigabyte at a megabyte a second, and some more.
	bulkTimeLimit    = 40 * time.Minute
	patternBlock     = 1 << 20
	portionsASecond  = 100
	bulkHeaderLength = 24
)

type order struct{ up, down, rate uint64 }

func readOrder(r io.Reader) (order, error) {
	var header [bulkHeaderLength]byte
	_, err := io.ReadFull(r, header[:])
	number := func(i int) uint64 { return binary.BigEndian.Uint64(header[8*i:]) }
	return order{number(0), number(1), number(2)}, err
}

// bulk: so many bytes up, so many down, both checked.
func bulk(s network.Stream) {
	_ = s.SetDeadline(time.Now().Add(bulkTimeLimit))
	if err := transfer(s); err != nil {
		_ = s.Reset()
		return
	}
	_ = s.Close()
}

func transfer(rw io.ReadWriter) error {
	o, err := readOrder(rw)
	if err != nil {
		return err
	}
	digest, err := receive(rw, o)
	if err != nil {
		return err
	}
	if _, err := rw.Write(digest); err != nil {
		return err
	}
	return sendPattern(rw, o.down, perfChunk)
}

// receive answers the SHA-256 of what came, read at the rate asked for.
func receive(r io.Reader, o order) ([]byte, error) {
	digest := sha256.New()
	buffer := make([]byte, perfChunk)
	start := time.Now()
	for received := uint64(0); received < o.up; {
		wanted := min(o.up-received, uint64(len(buffer)))
		if o.rate > 0 {
			wanted = min(wanted, max(o.rate/portionsASecond, 1))
			time.Sleep(time.Until(start.Add(time.Duration(received*1000/o.rate) * time.Millisecond)))
		}
		n, err := r.Read(buffer[:wanted])
		digest.Write(buffer[:n])
		received += uint64(n)
		if err != nil && received < o.up {
			return nil, err
		}
	}
	return digest.Sum(nil), nil
}

// sendPattern writes what everybody sends (tests/transport/src/pattern.rs), chunk by chunk.
func sendPattern(w io.Writer, bytes uint64, chunk int) error {
	block := make([]byte, 0, patternBlock)
	for state := uint32(1); len(block) < patternBlock; {
		state ^= state << 13
		state ^= state >> 17
		state ^= state << 5
		block = binary.LittleEndian.AppendUint32(block, state)
	}
	for number := uint32(0); bytes > 0; number++ {
		binary.LittleEndian.PutUint32(block, number)
		for at := 0; at < len(block) && bytes > 0; {
			n := min(chunk, len(block)-at, int(min(bytes, patternBlock)))
			if _, err := w.Write(block[at : at+n]); err != nil {
				return err
			}
			at += n
			bytes -= uint64(n)
		}
	}
	return nil
}
