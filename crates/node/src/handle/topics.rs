//! Topics: what is published in them, and whoever reads them.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use futures::task::AtomicWaker;
use libp2p::PeerId;

use super::{Command as Any, Handle, Reply};
use crate::{
    Error,
    limits::{TOPIC_QUEUE, TOPIC_QUEUE_BYTES},
};

/// What a [`Handle`] asks of the event loop about topics.
pub(crate) enum Command {
    Subscribe(String, Reply<TopicMessages>),
    Publish(Publish, Reply<Published>),
    Peers(String, Reply<Vec<PeerId>>),
    /// A reader has gone.
    Left,
}

/// A message to be published.
pub(crate) struct Publish {
    pub(crate) topic: String,
    pub(crate) data: Vec<u8>,
    pub(crate) publisher: Option<u64>,
}

/// What became of a published message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its id, in hex: the author's peer id and [`TopicMessage::sequence_number`], in binary.
    pub id: String,
    /// Peers in the topic that it was queued for. Readers on this node are not among them.
    pub recipients: usize,
}

/// A message of a topic.
#[derive(Debug, PartialEq, Eq)]
pub struct TopicMessage {
    /// Its topic.
    pub topic: String,
    /// Who published it, as its signature proves.
    pub from: PeerId,
    /// What was published.
    pub data: Vec<u8>,
    /// Its number, unique among those of its author.
    pub sequence_number: Option<u64>,
    /// Its id, in hex.
    pub id: String,
    /// Of a message of this node: whom [`Handle::publish`] was told to publish it for.
    pub publisher: Option<u64>,
}

/// What a reader is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The message.
    pub message: Arc<TopicMessage>,
    /// Messages that were dropped between the one before and this one, because the reader was too slow.
    pub dropped: u64,
}

/// The messages of a topic, from when it was subscribed to. Ends when the node ends; dropping it unsubscribes.
#[derive(Debug)]
pub struct TopicMessages {
    mailbox: Arc<Mailbox>,
    // Weak: a reader does not keep the node running.
    commands: async_channel::WeakSender<Any>,
}

impl TopicMessages {
    pub(crate) fn new(mailbox: Arc<Mailbox>, commands: async_channel::WeakSender<Any>) -> Self {
        Self { mailbox, commands }
    }
}

impl futures::Stream for TopicMessages {
    type Item = Received;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Received>> {
        self.mailbox.poll(cx)
    }
}

impl Drop for TopicMessages {
    fn drop(&mut self) {
        self.mailbox.leave();
        // If the channel is full, the event loop notices by itself some seconds later.
        if let Some(commands) = self.commands.upgrade() {
            let _ = commands.try_send(Any::Topics(Command::Left));
        }
    }
}

/// Between the event loop and one reader. Full, it drops the oldest: what is new is worth more, and the loop never waits.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    state: Mutex<State>,
    reader: AtomicWaker,
}

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<Arc<TopicMessage>>,
    bytes: usize,
    /// Since the reader last took one.
    dropped: u64,
    /// The node has ended.
    ended: bool,
    /// The reader has gone.
    left: bool,
}

impl State {
    fn pop(&mut self) -> Option<Arc<TopicMessage>> {
        let message = self.messages.pop_front()?;
        self.bytes = self.bytes.saturating_sub(message.data.len());
        Some(message)
    }
}

impl Mailbox {
    // Nothing in here can leave the state half-written, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, message: Arc<TopicMessage>) {
        let mut state = self.lock();
        if state.left {
            return;
        }
        let size = message.data.len();
        while state.messages.len() >= TOPIC_QUEUE
            || state.bytes.saturating_add(size) > TOPIC_QUEUE_BYTES
        {
            if state.pop().is_none() {
                break;
            }
            state.dropped = state.dropped.saturating_add(1);
        }
        state.bytes = state.bytes.saturating_add(size);
        state.messages.push_back(message);
        drop(state);
        self.reader.wake();
    }

    /// Nothing more comes; what is there can still be read.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.reader.wake();
    }

    pub(crate) fn has_left(&self) -> bool {
        self.lock().left
    }

    fn leave(&self) {
        let mut state = self.lock();
        state.left = true;
        state.bytes = 0;
        let messages = std::mem::take(&mut state.messages);
        drop(state);
        drop(messages);
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Received>> {
        // Before looking, so that nothing comes in between.
        self.reader.register(cx.waker());
        let mut state = self.lock();
        match state.pop() {
            Some(message) => Poll::Ready(Some(Received {
                message,
                dropped: std::mem::take(&mut state.dropped),
            })),
            None if state.ended => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl Handle {
    /// Joins a topic, for as long as the result is kept. Each call has a reader of its own; the node leaves the topic some seconds
    /// after the last of them was dropped.
    ///
    /// Messages of this node come as well, with [`TopicMessage::publisher`], so that several users of one node can talk to each
    /// other; each has to leave out its own.
    ///
    /// # Errors
    /// `Refused` for a topic that is empty or too long, `LimitExceeded`, `Stopped`.
    pub async fn subscribe(&self, topic: impl Into<String>) -> Result<TopicMessages, Error> {
        let topic = topic.into();
        self.query(|reply| Any::Topics(Command::Subscribe(topic, reply)))
            .await
    }

    /// Publishes a message, signed by this node, to the peers in the topic and to the readers on this node. It need not be
    /// subscribed to. That nobody is there is no error.
    ///
    /// # Errors
    /// `TooLarge` over [`limits::PUBLISH_BYTES`](crate::limits::PUBLISH_BYTES), `LimitExceeded` when no peer's queue has room (then nobody
    /// gets it), `Refused` for a topic that is empty or too long, `Stopped`.
    pub async fn publish(
        &self,
        topic: impl Into<String>,
        data: Vec<u8>,
        publisher: Option<u64>,
    ) -> Result<Published, Error> {
        let publish = Publish {
            topic: topic.into(),
            data,
            publisher,
        };
        self.query(|reply| Any::Topics(Command::Publish(publish, reply)))
            .await
    }

    /// The connected peers that are in a topic.
    ///
    /// # Errors
    /// `Refused` for a topic that is empty or too long, `Stopped`.
    pub async fn topic_peers(&self, topic: impl Into<String>) -> Result<Vec<PeerId>, Error> {
        let topic = topic.into();
        self.query(|reply| Any::Topics(Command::Peers(topic, reply)))
            .await
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt, executor::block_on, stream::poll_fn};

    use super::*;

    fn message(number: u64, size: usize) -> Arc<TopicMessage> {
        Arc::new(TopicMessage {
            topic: "news".into(),
            from: PeerId::random(),
            data: vec![0; size],
            sequence_number: Some(number),
            id: String::new(),
            publisher: None,
        })
    }

    /// What is left of so many messages of that size, once nothing more comes.
    fn left_of(count: u64, size: usize) -> Vec<(u64, u64)> {
        let mailbox = Mailbox::default();
        for number in 0..count {
            mailbox.push(message(number, size));
        }
        mailbox.end();
        let all = poll_fn(|cx| mailbox.poll(cx));
        block_on(
            all.map(|got| (got.message.sequence_number.unwrap(), got.dropped))
                .collect(),
        )
    }

    #[test]
    fn a_slow_reader_gets_the_newest_and_is_told_how_many_it_lost() {
        for (size, kept) in [
            (10, TOPIC_QUEUE),
            (TOPIC_QUEUE_BYTES / 16, 16),
            (TOPIC_QUEUE_BYTES, 1),
        ] {
            let kept = u64::try_from(kept).unwrap();
            let count = kept + 100;
            let expected: Vec<_> = (100..count)
                .map(|number| (number, if number == 100 { 100 } else { 0 }))
                .collect();
            assert_eq!(left_of(count, size), expected);
        }
        assert_eq!(left_of(3, 10), [(0, 0), (1, 0), (2, 0)]);
    }

    #[test]
    fn a_reader_that_has_gone_holds_nothing() {
        let mailbox = Mailbox::default();
        mailbox.push(message(0, 10));
        mailbox.leave();
        mailbox.push(message(1, 10));
        assert!(mailbox.lock().messages.is_empty() && mailbox.has_left());
    }
}
