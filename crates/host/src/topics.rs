//! Which documents listen to which topics. An origin has one subscription a topic, which its documents share.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    future::poll_fn,
    rc::Rc,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use futures::{FutureExt, StreamExt, channel::oneshot, lock::Mutex, select_biased};
use mooring_api::{
    Descriptor, ErrorObject, descriptor::allows_topic, event::PUBSUB_MESSAGE, params::Bytes,
    results::PubsubMessage,
};
use mooring_node::{Received, TopicMessage, TopicMessages};

use crate::{
    error::from_node,
    host::Core,
    limits::{MAX_TOPICS_PER_ORIGIN, MAX_WAITING_BYTES, MAX_WAITING_MESSAGES, MESSAGE_COST},
    quota::exceeded,
    session::{Session, Site},
};

/// A document that listens.
struct Listener {
    document: u64,
    /// Messages that it did not get, since the last one that it got.
    dropped: u64,
}

/// One origin's subscription to one topic.
struct Subscription {
    site: Rc<Site>,
    /// None: it outlives the last tab.
    listeners: Vec<Listener>,
    /// What came while there was none, oldest first.
    waiting: VecDeque<Arc<TopicMessage>>,
    /// Messages that could not wait, or that the last listener did not get, since a document last heard of it.
    dropped: u64,
    messages: Messages,
    /// Dropping it ends the task that reads.
    _stop: oneshot::Sender<()>,
}

/// Shared with the task that reads, so that nothing is read any more the moment the subscription goes.
type Messages = Rc<RefCell<Option<TopicMessages>>>;

impl Drop for Subscription {
    fn drop(&mut self) {
        self.messages.borrow_mut().take();
    }
}

/// An origin and a topic.
type Key = (Rc<str>, String);

/// Every subscription there is.
#[derive(Default)]
pub(crate) struct Topics {
    table: RefCell<HashMap<Key, Subscription>>,
    /// One at a time, so that two documents never subscribe their origin twice.
    subscribing: Mutex<()>,
}

impl Topics {
    /// Removes the subscriptions that `stays` does not keep.
    fn keep(&self, mut stays: impl FnMut(&str, &mut Subscription) -> bool) {
        self.table
            .borrow_mut()
            .retain(|(_, topic), subscription| stays(topic, subscription));
    }

    /// Ends a document's part in a subscription; with the last one it ends.
    pub(crate) fn unsubscribe(&self, session: &Session, topic: &str) {
        self.keep(|of, subscription| {
            let ours = of == topic && subscription.site.origin == session.site.origin;
            if ours {
                subscription.forget(session.id);
            }
            !ours || !subscription.listeners.is_empty()
        });
    }

    /// A document is gone, or may listen to less: it keeps the topics that `keep` names. What no document of the origin listens to
    /// any more stays as far as `lasting`, what the origin holds without a document, allows it to.
    pub(crate) fn retain(
        &self,
        document: u64,
        lasting: &[Descriptor],
        keep: impl Fn(&str) -> bool,
    ) {
        self.keep(|topic, subscription| {
            let had = subscription.listeners.len();
            if !keep(topic) {
                subscription.forget(document);
            }
            let lost_its_last = had > 0 && subscription.listeners.is_empty();
            !lost_its_last || may_outlive(lasting, topic)
        });
    }

    /// An origin holds less: ends what no document listens to and may not go on by itself any more.
    pub(crate) fn retain_lasting(&self, origin: &str, lasting: &[Descriptor]) {
        self.keep(|topic, subscription| {
            *subscription.site.origin != *origin
                || !subscription.listeners.is_empty()
                || may_outlive(lasting, topic)
        });
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.table.borrow().is_empty()
    }

    fn has(&self, key: &Key) -> bool {
        self.table.borrow().contains_key(key)
    }

    fn count(&self, origin: &str) -> usize {
        let table = self.table.borrow();
        table.keys().filter(|(of, _)| **of == *origin).count()
    }

    fn listen(&self, key: &Key, document: u64) {
        if let Some(subscription) = self.table.borrow_mut().get_mut(key)
            && !subscription.listens(document)
        {
            let dropped = std::mem::take(&mut subscription.dropped);
            subscription.listeners.push(Listener { document, dropped });
        }
    }

    /// Keeps a message for the origin's next document.
    fn wait(&self, key: &Key, received: &Received) {
        let mut table = self.table.borrow_mut();
        let Some(subscription) = table.get_mut(key) else {
            return;
        };
        subscription.dropped = subscription.dropped.saturating_add(received.dropped);
        subscription.waiting.push_back(received.message.clone());
        // The topic that takes most room loses its oldest, so that a loud one does not cost the others theirs.
        loop {
            let own = table.iter_mut().filter(|((origin, _), _)| *origin == key.0);
            let mut all = (0_usize, 0_usize);
            let mut largest: Option<(usize, &mut Subscription)> = None;
            for (_, subscription) in own {
                let weight = subscription.weight();
                all.0 = all.0.saturating_add(subscription.waiting.len());
                all.1 = all.1.saturating_add(weight);
                if largest.as_ref().is_none_or(|(most, _)| weight > *most) {
                    largest = Some((weight, subscription));
                }
            }
            if all.0 <= MAX_WAITING_MESSAGES && all.1 <= MAX_WAITING_BYTES {
                return;
            }
            let Some((_, largest)) = largest else {
                return;
            };
            if largest.waiting.pop_front().is_none() {
                return;
            }
            largest.dropped = largest.dropped.saturating_add(1);
        }
    }

    /// What waited for a document.
    fn take_waiting(&self, key: &Key) -> VecDeque<Arc<TopicMessage>> {
        let mut table = self.table.borrow_mut();
        let waiting = table.get_mut(key).map(|found| &mut found.waiting);
        waiting.map(std::mem::take).unwrap_or_default()
    }

    /// The documents that listen, each with what it did not get until now.
    fn listeners(&self, key: &Key, dropped: u64) -> Vec<(u64, u64)> {
        let mut table = self.table.borrow_mut();
        let Some(subscription) = table.get_mut(key) else {
            return Vec::new();
        };
        let listeners = subscription.listeners.iter_mut();
        listeners
            .map(|listener| {
                listener.dropped = listener.dropped.saturating_add(dropped);
                (listener.document, listener.dropped)
            })
            .collect()
    }

    /// How many messages a document that listens did not get.
    fn dropped(&self, key: &Key, document: u64) -> u64 {
        let table = self.table.borrow();
        let listeners = table.get(key).map(|found| found.listeners.iter());
        listeners
            .into_iter()
            .flatten()
            .find(|listener| listener.document == document)
            .map_or(0, |listener| listener.dropped)
    }

    /// A document got a message, or did not.
    fn note(&self, key: &Key, document: u64, got: bool) {
        if let Some(subscription) = self.table.borrow_mut().get_mut(key) {
            let mut listeners = subscription.listeners.iter_mut();
            if let Some(listener) = listeners.find(|listener| listener.document == document) {
                listener.dropped = if got {
                    0
                } else {
                    listener.dropped.saturating_add(1)
                };
            }
        }
    }
}

impl Subscription {
    fn listens(&self, document: u64) -> bool {
        self.listeners
            .iter()
            .any(|listener| listener.document == document)
    }

    fn forget(&mut self, document: u64) {
        let gone = self
            .listeners
            .extract_if(.., |listener| listener.document == document)
            .map(|listener| listener.dropped)
            .sum();
        if self.listeners.is_empty() {
            self.dropped = self.dropped.saturating_add(gone);
        }
    }

    /// What waits, as it counts against the bound.
    fn weight(&self) -> usize {
        let messages = self.waiting.iter();
        messages.fold(0, |sum, message| {
            sum.saturating_add(message.data.len())
                .saturating_add(MESSAGE_COST)
        })
    }
}

/// Whether a subscription may outlive the last tab of its origin.
fn may_outlive(lasting: &[Descriptor], topic: &str) -> bool {
    lasting.contains(&Descriptor::Background {}) && allows_topic(lasting, topic)
}

/// Has a document listen to a topic. Again the same is no error.
pub(crate) async fn subscribe(
    core: &Rc<Core>,
    session: &Rc<Session>,
    topic: String,
) -> Result<(), ErrorObject> {
    let topics = &core.topics;
    let key = (session.origin().clone(), topic);
    let _one = topics.subscribing.lock().await;
    if !topics.has(&key) {
        let site = &session.site;
        if topics.count(&site.origin) >= MAX_TOPICS_PER_ORIGIN {
            return Err(exceeded("subscriptions", Duration::from_secs(1)));
        }
        site.joins
            .take(core.platform.uptime())
            .map_err(|wait| exceeded("newSubscriptionsPerSecond", wait))?;
        let node = core.node.handle(core).await?;
        let messages = node
            .subscribe(key.1.as_str())
            .await
            .map_err(|e| from_node(&e))?;
        if session.is_closed() {
            return Ok(()); // nobody to be answered, and nobody to listen
        }
        let (stop, stopped) = oneshot::channel();
        let messages = Rc::new(RefCell::new(Some(messages)));
        topics.table.borrow_mut().insert(
            key.clone(),
            Subscription {
                site: site.clone(),
                listeners: Vec::new(),
                waiting: VecDeque::new(),
                dropped: 0,
                messages: messages.clone(),
                _stop: stop,
            },
        );
        core.spawn(read(core.clone(), key.clone(), messages, stopped));
    }
    if !session.is_closed() {
        topics.listen(&key, session.id);
    }
    Ok(())
}

/// Reads until it is stopped, also when the node is started anew.
async fn read(core: Rc<Core>, key: Key, messages: Messages, mut stopped: oneshot::Receiver<()>) {
    loop {
        let next = poll_fn(|cx| match &mut *messages.borrow_mut() {
            Some(messages) => messages.poll_next_unpin(cx),
            None => Poll::Ready(None),
        });
        let received = select_biased! {
            _ = stopped => return,
            received = next.fuse() => received,
        };
        if let Some(received) = received {
            deliver(&core, &key, &received);
            continue;
        }
        // The node ended, and the next one knows nothing of us.
        loop {
            let seen = core.node.seen();
            if let Some(node) = core.node.running()
                && let Ok(again) = node.subscribe(key.1.as_str()).await
            {
                if !matches!(stopped.try_recv(), Ok(None)) {
                    return;
                }
                *messages.borrow_mut() = Some(again);
                break;
            }
            select_biased! {
                _ = stopped => return,
                () = core.node.changed(seen).fuse() => {}
            }
        }
    }
}

/// Gives a message to the documents that listen, but for the one that published it, or keeps it for the next one.
fn deliver(core: &Core, key: &Key, received: &Received) {
    let listeners = core.topics.listeners(key, received.dropped);
    // The hour of a grant may have ended before its subscriptions were.
    if listeners.is_empty() && may_outlive(&core.lasting(&key.0), &key.1) {
        core.topics.wait(key, received);
    }
    for (document, dropped) in listeners {
        if received.message.publisher != Some(document)
            && let Some(session) = core.sessions.get(document)
        {
            give(core, &session, key, &received.message, dropped);
        }
    }
}

/// Gives a document what waited for it, once it knows that it is subscribed.
pub(crate) fn hand_over(core: &Core, session: &Session, topic: &str) {
    let key = (session.origin().clone(), topic.to_owned());
    if session.is_closed() {
        return; // the next one gets it
    }
    for message in core.topics.take_waiting(&key) {
        let dropped = core.topics.dropped(&key, session.id);
        give(core, session, &key, &message, dropped);
    }
}

fn give(core: &Core, session: &Session, key: &Key, message: &TopicMessage, dropped: u64) {
    // As above.
    if !allows_topic(&session.held(core), &key.1) {
        return;
    }
    let got = may_post(core, session, message.data.len());
    if got {
        post(session, message, dropped);
    }
    core.topics.note(key, session.id, got);
}

/// Whether one more message may be posted to a document: a page cannot say that it does not keep up.
fn may_post(core: &Core, session: &Session, bytes: usize) -> bool {
    let now = core.platform.uptime();
    let weight = u32::try_from(bytes.saturating_add(MESSAGE_COST)).unwrap_or(u32::MAX);
    session.messages.take(now).is_ok() && session.message_bytes.take_many(now, weight).is_ok()
}

fn post(session: &Session, message: &TopicMessage, dropped: u64) {
    let message = PubsubMessage {
        topic: message.topic.clone(),
        from: message.from.to_string(),
        data: Bytes::from(message.data.clone()),
        sequence_number: message.sequence_number.map(|number| number.to_string()),
        message_id: message.id.clone(),
        dropped: (dropped > 0).then(|| u32::try_from(dropped).unwrap_or(u32::MAX)),
    };
    session.notify(PUBSUB_MESSAGE, &message, None);
}
