//! Topics.

use std::{
    cell::RefCell,
    collections::HashMap,
    fmt,
    pin::Pin,
    rc::{Rc, Weak},
    task::{Context, Poll},
};

use futures::Stream;
use mooring_api::{
    Method,
    params::{self, Bytes},
    results::{Published, PubsubMessage, TopicPeers},
};

use crate::{
    Error, Node,
    core::{mailbox::Mailbox, wanted::Kind},
    hub::Want,
    limits::{MAX_MESSAGE_BYTES, MAX_MESSAGES},
};

/// Topics: gossipsub. Needs `pubsub` for them.
#[derive(Debug, Clone, Copy)]
pub struct Pubsub<'a>(pub(crate) &'a Node);

impl Pubsub<'_> {
    /// Joins a topic. What this document publishes itself does not come.
    ///
    /// # Errors
    /// `Unauthorized`, `LimitExceeded`, and those of every call.
    pub async fn subscribe(&self, topic: &str) -> Result<Subscription, Error> {
        let hub = self.0.hub();
        // Before the node is told: it may have messages that waited for this.
        let mailbox = hub.topics.add(topic);
        let want = hub.want(Kind::Topic, topic, self.0.timeout()).await?;
        Ok(Subscription {
            mailbox,
            topic: topic.to_owned(),
            _want: want,
        })
    }

    /// Publishes a message.
    ///
    /// # Errors
    /// `LimitExceeded`, and those of every call.
    pub async fn publish(&self, topic: &str, data: impl Into<Vec<u8>>) -> Result<Published, Error> {
        let params = params::Publish {
            topic: topic.to_owned(),
            data: Bytes::from(data.into()),
        };
        self.0.call(Method::PubsubPublish, &params).await
    }

    /// The peers that are known to be in a topic.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn peers(&self, topic: &str) -> Result<Vec<String>, Error> {
        let topic = topic.to_owned();
        let peers: TopicPeers = self
            .0
            .call(Method::PubsubPeers, &params::Topic { topic })
            .await?;
        Ok(peers.peers)
    }
}

/// The messages of a topic as they come. Dropping it leaves the topic. Of those that the app does not take in time 1,024 are kept, and
/// 4 MiB; beyond, the oldest goes.
pub struct Subscription {
    mailbox: Rc<Mailbox<PubsubMessage>>,
    topic: String,
    _want: Want,
}

impl Subscription {
    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Messages that were lost: the app did not take them in time, or no tab was there.
    pub fn dropped(&self) -> u64 {
        self.mailbox.dropped()
    }
}

impl Stream for Subscription {
    type Item = PubsubMessage;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<PubsubMessage>> {
        self.mailbox.poll_take(cx).map(Some)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

/// Who reads which topic.
#[derive(Default)]
pub struct Readers(RefCell<HashMap<String, Vec<Weak<Mailbox<PubsubMessage>>>>>);

impl Readers {
    fn add(&self, topic: &str) -> Rc<Mailbox<PubsubMessage>> {
        let mailbox = Rc::new(Mailbox::new(MAX_MESSAGES, MAX_MESSAGE_BYTES));
        let mut topics = self.0.borrow_mut();
        topics.retain(|_, readers| readers.iter().any(|reader| reader.strong_count() > 0));
        topics
            .entry(topic.to_owned())
            .or_default()
            .push(Rc::downgrade(&mailbox));
        mailbox
    }

    pub fn deliver(&self, message: &PubsubMessage) {
        let mut topics = self.0.borrow_mut();
        let Some(readers) = topics.get_mut(&message.topic) else {
            return;
        };
        readers.retain(|reader| {
            let reader = Weak::upgrade(reader);
            if let Some(reader) = &reader {
                reader.put(
                    message.clone(),
                    message.data.len(),
                    message.dropped.unwrap_or_default(),
                );
            }
            reader.is_some()
        });
    }
}
