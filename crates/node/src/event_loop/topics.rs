//! The topics that somebody on this node reads.

use std::{collections::HashMap, future::poll_fn, sync::Arc, task::Poll};

use libp2p::{
    PeerId,
    gossipsub::{self, IdentTopic, PublishError, TopicHash},
};
use web_time::Instant;

use super::EventLoop;
use crate::{
    Error,
    behaviour::{OwnMessage, message_id},
    handle::{
        Command as Any,
        topics::{Command, Mailbox, Publish, Published, TopicMessage, TopicMessages},
    },
    limits::{PUBLISH_BYTES, RETRY_AFTER, TOPIC_BYTES, TOPIC_LINGER, TOPIC_READERS, TOPICS},
};

/// The event loop's end of a mailbox. Its reader is told when the node ends.
#[derive(Debug)]
struct Feed(Arc<Mailbox>);

impl Drop for Feed {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[derive(Debug, Default)]
struct Topic {
    readers: Vec<Feed>,
    /// Since when nobody reads it.
    unread: Option<Instant>,
}

/// Every topic that this node is in.
#[derive(Debug)]
pub(super) struct Topics {
    table: HashMap<TopicHash, Topic>,
    own_message: OwnMessage,
}

fn full(what: &'static str) -> Error {
    Error::LimitExceeded {
        what,
        retry_after: RETRY_AFTER,
    }
}

fn check(topic: &str) -> Result<IdentTopic, Error> {
    if topic.is_empty() || topic.len() > TOPIC_BYTES {
        return Err(Error::Refused {
            reason: format!("a topic has 1 to {TOPIC_BYTES} bytes"),
        });
    }
    Ok(IdentTopic::new(topic))
}

pub(super) fn is_publish(command: &Any) -> bool {
    matches!(command, Any::Topics(Command::Publish(..)))
}

/// Lets the tasks of the connections have their turn: each takes messages from a short queue, and many requests to publish that come at
/// once would fill it before, where all tasks share a thread.
pub(super) async fn let_connections_send() {
    let mut waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Topics {
    pub(super) fn new(own_message: OwnMessage) -> Self {
        Self {
            table: HashMap::new(),
            own_message,
        }
    }

    /// When the next topic is left.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let unread = self.table.values().filter_map(|topic| topic.unread).min()?;
        unread.checked_add(TOPIC_LINGER)
    }

    /// Forgets the readers that have gone.
    fn forget_gone(&mut self, now: Instant) {
        for topic in self.table.values_mut() {
            topic.readers.retain(|reader| !reader.0.has_left());
            if topic.readers.is_empty() {
                topic.unread.get_or_insert(now);
            }
        }
    }

    /// The topics that nobody has read for so long.
    fn unread(&self, now: Instant) -> Vec<TopicHash> {
        self.table
            .iter()
            .filter(|(_, topic)| {
                topic
                    .unread
                    .is_some_and(|since| now.saturating_duration_since(since) >= TOPIC_LINGER)
            })
            .map(|(topic, _)| topic.clone())
            .collect()
    }

    fn longest_unread(&self) -> Option<TopicHash> {
        self.table
            .iter()
            .filter_map(|(topic, entry)| Some((entry.unread?, topic)))
            .min_by_key(|(since, _)| *since)
            .map(|(_, topic)| topic.clone())
    }

    fn emit(&self, topic: &TopicHash, message: TopicMessage) {
        let Some(topic) = self.table.get(topic) else {
            return;
        };
        let message = Arc::new(message);
        for reader in &topic.readers {
            reader.0.push(Arc::clone(&message));
        }
    }
}

impl EventLoop {
    pub(super) fn on_topics_command(&mut self, command: Command) {
        // A caller that has gone needs no answer; a reader that it does not take leaves by itself.
        match command {
            Command::Subscribe(topic, reply) => drop(reply.send(self.subscribe(&topic))),
            Command::Publish(publish, reply) => drop(reply.send(self.publish(publish))),
            Command::Peers(topic, reply) => {
                let peers = check(&topic).map(|topic| self.topic_peers(&topic.hash()));
                drop(reply.send(peers));
            }
            Command::Left => self.topics.forget_gone(Instant::now()),
        }
    }

    pub(super) fn on_topics_event(&mut self, event: gossipsub::Event) {
        let gossipsub::Event::Message {
            message_id,
            message,
            ..
        } = event
        else {
            return;
        };
        // Unsigned messages never come here: the validation is strict.
        let Some(from) = message.source else {
            return;
        };
        self.topics.emit(
            &message.topic,
            TopicMessage {
                topic: message.topic.as_str().to_owned(),
                from,
                data: message.data,
                sequence_number: message.sequence_number,
                id: message_id.to_string(),
                publisher: None,
            },
        );
    }

    pub(super) fn tick_topics(&mut self, now: Instant) {
        self.topics.forget_gone(now);
        for topic in self.topics.unread(now) {
            self.leave_topic(&topic);
        }
    }

    fn leave_topic(&mut self, topic: &TopicHash) {
        self.topics.table.remove(topic);
        self.swarm
            .behaviour_mut()
            .gossipsub
            .unsubscribe(&IdentTopic::new(topic.as_str()));
    }

    fn subscribe(&mut self, topic: &str) -> Result<TopicMessages, Error> {
        let topic = check(topic)?;
        let hash = topic.hash();
        self.topics.forget_gone(Instant::now());
        if !self.topics.table.contains_key(&hash) {
            if self.topics.table.len() >= TOPICS {
                let unread = self.topics.longest_unread().ok_or_else(|| full("topics"))?;
                self.leave_topic(&unread);
            }
            self.swarm
                .behaviour_mut()
                .gossipsub
                .subscribe(&topic)
                .map_err(|error| Error::Refused {
                    reason: error.to_string(),
                })?;
        }
        let entry = self.topics.table.entry(hash).or_default();
        if entry.readers.len() >= TOPIC_READERS {
            return Err(full("topic readers"));
        }
        entry.unread = None;
        let mailbox = Arc::new(Mailbox::default());
        entry.readers.push(Feed(Arc::clone(&mailbox)));
        Ok(TopicMessages::new(mailbox, self.handles.clone()))
    }

    fn publish(&mut self, publish: Publish) -> Result<Published, Error> {
        let Publish {
            topic,
            data,
            publisher,
        } = publish;
        let hash = check(&topic)?.hash();
        if data.len() > PUBLISH_BYTES {
            return Err(Error::TooLarge {
                what: "published message",
                most: PUBLISH_BYTES,
            });
        }
        // Publishing floods: each of them gets it.
        let peers = self.topic_peers(&hash).len();
        let gossipsub = &mut self.swarm.behaviour_mut().gossipsub;
        let recipients = match gossipsub.publish(hash.clone(), data.clone()) {
            Ok(_) => peers,
            Err(PublishError::NoPeersSubscribedToTopic) => 0,
            Err(PublishError::AllQueuesFull(_)) => return Err(full("publish queues")),
            // None of them can happen: messages differ in their numbers, are small enough and signed with a key that can sign.
            Err(error) => {
                return Err(Error::Refused {
                    reason: error.to_string(),
                });
            }
        };
        let from = *self.swarm.local_peer_id();
        let sequence_number = Some(self.topics.own_message.number());
        let id = message_id(Some(&from), sequence_number).to_string();
        self.topics.emit(
            &hash,
            TopicMessage {
                topic,
                from,
                data,
                sequence_number,
                id: id.clone(),
                publisher,
            },
        );
        Ok(Published { id, recipients })
    }

    fn topic_peers(&self, topic: &TopicHash) -> Vec<PeerId> {
        self.swarm
            .behaviour()
            .gossipsub
            .all_peers()
            .filter(|(_, topics)| topics.contains(&topic))
            .map(|(peer, _)| *peer)
            .collect()
    }
}
