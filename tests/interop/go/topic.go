package main

import (
	"context"
	"crypto/sha256"

	"github.com/libp2p/go-libp2p/core/host"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
)

// answer joins a topic and answers each message of another peer with one of its own: the SHA-256 of what came, and what came.
func answer(ctx context.Context, h host.Host, name string) error {
	ps, err := pubsub.NewGossipSub(ctx, h)
	if err != nil {
		return err
	}
	topic, err := ps.Join(name)
	if err != nil {
		return err
	}
	// The default of 32 loses what comes while this is publishing.
	messages, err := topic.Subscribe(pubsub.WithBufferSize(1024))
	if err != nil {
		return err
	}
	go func() {
		for {
			message, err := messages.Next(ctx)
			if err != nil {
				return
			}
			if message.GetFrom() == h.ID() {
				continue
			}
			sum := sha256.Sum256(message.Data)
			if err := topic.Publish(ctx, append(sum[:], message.Data...)); err != nil {
				return
			}
		}
	}()
	return nil
}
