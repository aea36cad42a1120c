//! Which origin handles which protocol, and in which of its documents.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    future::poll_fn,
    rc::Rc,
    task::Poll,
    time::Duration,
};

use futures::{FutureExt, StreamExt, channel::oneshot, lock::Mutex, select_biased};
use libp2p::StreamProtocol;
use mooring_api::{Descriptor, ErrorCode, ErrorObject, descriptor::allows_protocol};
use mooring_node::{IncomingStream, IncomingStreams};

use super::deliver;
use crate::{
    error::{error, from_node},
    host::Core,
    limits::{
        MAX_HANDLED_BYTES_PER_ORIGIN, MAX_HANDLED_PER_ORIGIN, MAX_STREAMS_PER_ORIGIN,
        MAX_WAITING_STREAMS, STREAM_PATIENCE,
    },
    quota::{Slot, exceeded},
    session::{Session, Site},
    signal::Signal,
};

struct Handler {
    site: Rc<Site>,
    /// The documents that handle it; the one that said so last is the last. None: it outlives the last tab.
    documents: Vec<u64>,
    /// Streams that came while there was none.
    waiting: VecDeque<Waiting>,
    /// Those that could not wait, or not so long, since a document last heard of it.
    dropped: u32,
    incoming: Incoming,
    /// Dropping it ends the task that accepts.
    _stop: oneshot::Sender<()>,
}

/// A stream that waits for the origin's next tab.
struct Waiting {
    stream: IncomingStream,
    since: Duration,
    _slot: Slot,
}

/// Shared with the task that accepts, so that the protocol is free the moment its handler goes.
type Incoming = Rc<RefCell<Option<IncomingStreams>>>;

impl Drop for Handler {
    fn drop(&mut self) {
        self.incoming.borrow_mut().take();
    }
}

/// Every protocol that some document handles.
#[derive(Default)]
pub(crate) struct Handlers {
    table: RefCell<HashMap<String, Handler>>,
    /// One registration at a time, so that two never see the same protocol free.
    registering: Mutex<()>,
    /// Who handles what.
    pub(crate) changed: Signal,
}

impl Handlers {
    /// Removes the handlers that `stays` does not keep. Their streams are reset when nothing is borrowed any more.
    fn keep(&self, mut stays: impl FnMut(&str, &mut Handler) -> bool) {
        let mut gone = VecDeque::new();
        self.table.borrow_mut().retain(|protocol, handler| {
            let stays = stays(protocol, handler);
            if !stays {
                gone.append(&mut handler.waiting);
            }
            stays
        });
        self.changed.notify();
    }

    /// Stops handling a protocol in a document; with its last one the protocol is free.
    pub(crate) fn unhandle(&self, session: &Session, protocol: &str) {
        self.keep(|handled, handler| {
            let ours = handled == protocol && handler.site.origin == session.site.origin;
            if ours {
                handler.documents.retain(|other| *other != session.id);
            }
            !ours || !handler.documents.is_empty()
        });
    }

    /// A document is gone, or may handle less: it keeps the protocols that `keep` names. What no document of the origin
    /// handles any more stays as far as `lasting`, what the origin holds without a document, allows it to.
    pub(crate) fn retain(
        &self,
        document: u64,
        lasting: &[Descriptor],
        keep: impl Fn(&str) -> bool,
    ) {
        self.keep(|protocol, handler| {
            let had = handler.documents.len();
            if !keep(protocol) {
                handler.documents.retain(|other| *other != document);
            }
            let lost_its_last = had > 0 && handler.documents.is_empty();
            !lost_its_last || may_outlive(lasting, protocol)
        });
    }

    /// The documents that handle something, some of them more than once.
    pub(crate) fn documents(&self) -> Vec<u64> {
        let table = self.table.borrow();
        table
            .values()
            .flat_map(|handler| handler.documents.iter().copied())
            .collect()
    }

    /// An origin holds less: ends what no document handles and may not go on by itself any more.
    pub(crate) fn retain_lasting(&self, origin: &str, lasting: &[Descriptor]) {
        self.keep(|protocol, handler| {
            *handler.site.origin != *origin
                || !handler.documents.is_empty()
                || may_outlive(lasting, protocol)
        });
    }

    /// Keeps a stream for the origin's next tab; whether it may wait.
    fn wait(&self, protocol: &str, stream: IncomingStream, now: Duration) -> bool {
        let mut table = self.table.borrow_mut();
        let Some(site) = table.get(protocol).map(|handler| handler.site.clone()) else {
            return false;
        };
        let waiting: usize = table
            .values()
            .filter(|handler| handler.site.origin == site.origin)
            .map(|handler| handler.waiting.len())
            .sum();
        let slot = (waiting < MAX_WAITING_STREAMS)
            .then(|| Slot::take(&site.streams, MAX_STREAMS_PER_ORIGIN))
            .flatten();
        let may = slot.is_some();
        if let Some(handler) = table.get_mut(protocol) {
            match slot {
                Some(slot) => handler.waiting.push_back(Waiting {
                    stream,
                    since: now,
                    _slot: slot,
                }),
                // Dropping it resets it.
                None => handler.dropped = handler.dropped.saturating_add(1),
            }
        }
        may
    }

    /// Resets the streams that have waited long enough.
    fn end_waiting(&self, now: Duration) {
        // Dropped when nothing is borrowed any more.
        let mut ended = VecDeque::new();
        for handler in self.table.borrow_mut().values_mut() {
            let over = |waiting: &&Waiting| now.saturating_sub(waiting.since) >= STREAM_PATIENCE;
            // The oldest is the first.
            let count = handler.waiting.iter().take_while(over).count();
            handler.dropped = handler
                .dropped
                .saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
            ended.extend(handler.waiting.drain(..count));
        }
    }

    /// How many were dropped since it was last asked.
    pub(super) fn take_dropped(&self, protocol: &str) -> u32 {
        self.table
            .borrow_mut()
            .get_mut(protocol)
            .map_or(0, |handler| std::mem::take(&mut handler.dropped))
    }

    fn judge(&self, session: &Session, protocols: &[StreamProtocol]) -> Result<(), ErrorObject> {
        let table = self.table.borrow();
        let taken = protocols.iter().find(|protocol| {
            table
                .get(protocol.as_ref())
                .is_some_and(|handler| handler.site.origin != session.site.origin)
        });
        if let Some(taken) = taken {
            return Err(
                error(ErrorCode::Refused, "Another site handles that protocol.")
                    .with_detail(taken.to_string()),
            );
        }
        let own = table
            .iter()
            .filter(|(_, handler)| handler.site.origin == session.site.origin)
            .map(|(protocol, _)| protocol.as_str());
        let more = protocols
            .iter()
            .map(AsRef::as_ref)
            .filter(|protocol: &&str| !table.contains_key(*protocol));
        let (count, bytes) = own
            .chain(more)
            .fold((0_usize, 0_usize), |(count, bytes), id| {
                (count.saturating_add(1), bytes.saturating_add(id.len()))
            });
        let full = |what| Err(exceeded(what, Duration::from_secs(1)));
        if count > MAX_HANDLED_PER_ORIGIN {
            return full("handledProtocols");
        }
        if bytes > MAX_HANDLED_BYTES_PER_ORIGIN {
            return full("handledProtocolBytes");
        }
        Ok(())
    }

    fn last_document(&self, protocol: &str) -> Option<u64> {
        self.table
            .borrow()
            .get(protocol)
            .and_then(|handler| handler.documents.last().copied())
    }
}

/// Handles protocols in a document: all of them, or after an error none of those that are new.
pub(crate) async fn handle(
    core: &Rc<Core>,
    session: &Rc<Session>,
    protocols: Vec<StreamProtocol>,
) -> Result<(), ErrorObject> {
    let handlers = &core.handlers;
    let _one = handlers.registering.lock().await;
    handlers.judge(session, &protocols)?;
    let node = core.node.handle(core).await?;
    let mut accepted: Vec<(StreamProtocol, IncomingStreams)> = Vec::new();
    // Again and again, since a protocol that was handled may be given up while the node is asked about another.
    while let Some(free) = protocols.iter().find(|protocol| {
        !handlers.table.borrow().contains_key(protocol.as_ref())
            && !accepted.iter().any(|(accepted, _)| accepted == *protocol)
    }) {
        let incoming = node
            .accept(vec![free.clone()])
            .await
            .map_err(|e| from_node(&e))?;
        accepted.push((free.clone(), incoming));
    }
    if session.is_closed() {
        return Ok(()); // nobody to be answered, and nobody to handle
    }
    for (protocol, incoming) in accepted {
        let (stop, stopped) = oneshot::channel();
        let incoming = Rc::new(RefCell::new(Some(incoming)));
        handlers.table.borrow_mut().insert(
            protocol.to_string(),
            Handler {
                site: session.site.clone(),
                documents: Vec::new(),
                waiting: VecDeque::new(),
                dropped: 0,
                incoming: incoming.clone(),
                _stop: stop,
            },
        );
        core.spawn(accept(core.clone(), protocol, incoming, stopped));
    }
    let mut waited = Vec::new();
    {
        let mut table = handlers.table.borrow_mut();
        for protocol in &protocols {
            if let Some(handler) = table.get_mut(protocol.as_ref()) {
                handler.documents.retain(|document| *document != session.id);
                handler.documents.push(session.id);
                waited.extend(handler.waiting.drain(..).map(|waiting| waiting.stream));
            }
        }
    }
    for stream in waited {
        deliver(core, session, stream);
    }
    handlers.changed.notify();
    Ok(())
}

/// Whether a handler may outlive the last tab of its origin.
fn may_outlive(lasting: &[Descriptor], protocol: &str) -> bool {
    lasting.contains(&Descriptor::Background {}) && allows_protocol(lasting, protocol)
}

/// Accepts until it is stopped, also when the node is started anew.
async fn accept(
    core: Rc<Core>,
    protocol: StreamProtocol,
    incoming: Incoming,
    mut stopped: oneshot::Receiver<()>,
) {
    loop {
        let next = poll_fn(|cx| match &mut *incoming.borrow_mut() {
            Some(incoming) => incoming.poll_next_unpin(cx),
            None => Poll::Ready(None),
        });
        let stream = select_biased! {
            _ = stopped => return,
            stream = next.fuse() => stream,
        };
        if let Some(stream) = stream {
            let document = core.handlers.last_document(protocol.as_ref());
            match document.and_then(|id| core.sessions.get(id)) {
                Some(session) => deliver(&core, &session, stream),
                None => wait(&core, protocol.as_ref(), stream),
            }
            continue;
        }
        // The node ended, and the next one knows nothing of us.
        loop {
            let seen = core.node.seen();
            if let Some(node) = core.node.running()
                && let Ok(again) = node.accept(vec![protocol.clone()]).await
            {
                if !matches!(stopped.try_recv(), Ok(None)) {
                    return;
                }
                *incoming.borrow_mut() = Some(again);
                break;
            }
            select_biased! {
                _ = stopped => return,
                () = core.node.changed(seen).fuse() => {}
            }
        }
    }
}

/// Keeps a stream that has no tab, and ends it when it has waited too long.
fn wait(core: &Rc<Core>, protocol: &str, stream: IncomingStream) {
    let now = core.platform.uptime();
    if !core.handlers.wait(protocol, stream, now) {
        return;
    }
    let ending = core.clone();
    core.spawn(async move {
        ending.platform.sleep(STREAM_PATIENCE).await;
        ending.handlers.end_waiting(ending.platform.uptime());
    });
}
