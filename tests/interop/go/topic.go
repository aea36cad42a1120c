package main

import (
	"context"
	"crypto/sha256"

	"github.com/libp2p/go-libp2p/core/host"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
)

const queue = 1024

// answer joins a topic and answers each message of another peer with one of its own: the SHA-256 of what came, and what came.
func answer(ctx context.Context, h host.Host, name string) error {
	// The defaults are 32 messages that wait to be checked and as many to be sent; on a busy machine what comes in a burst is lost there.
	ps, err := pubsub.NewGossipSub(ctx, h, pubsub.WithValidateQueueSize(queue), pubsub.WithPeerOutboundQueueSize(queue))
	if err != nil {
		return err
	}
	topic, err := ps.Join(name)
	if err != nil {
		return err
	}
	// And here what comes while this is publishing.
	messages, err := topic.Subscribe(pubsub.WithBufferSize(queue))
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
