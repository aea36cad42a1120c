//! Which origin handles which protocol, and in which of its documents.

use std::{
    cell::RefCell, collections::HashMap, future::poll_fn, rc::Rc, task::Poll, time::Duration,
};

use futures::{FutureExt, StreamExt, channel::oneshot, lock::Mutex, select_biased};
use libp2p::StreamProtocol;
use mooring_api::{ErrorCode, ErrorObject};
use mooring_node::IncomingStreams;

use super::deliver;
use crate::{
    error::{error, from_node},
    host::Core,
    limits::{MAX_HANDLED_BYTES_PER_ORIGIN, MAX_HANDLED_PER_ORIGIN},
    quota::exceeded,
    session::Session,
};

struct Handler {
    origin: Rc<str>,
    /// The documents that handle it; the one that said so last is the last.
    documents: Vec<u64>,
    incoming: Incoming,
    /// Dropping it ends the task that accepts.
    _stop: oneshot::Sender<()>,
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
}

impl Handlers {
    /// Stops handling a protocol in a document.
    pub(crate) fn unhandle(&self, session: &Session, protocol: &str) {
        self.retain(session.id, |handled| handled != protocol);
    }

    /// A document is gone.
    pub(crate) fn document_gone(&self, document: u64) {
        self.retain(document, |_| false);
    }

    /// Keeps only some of what a document handles.
    pub(crate) fn retain(&self, document: u64, keep: impl Fn(&str) -> bool) {
        self.table.borrow_mut().retain(|protocol, handler| {
            if !keep(protocol) {
                handler.documents.retain(|other| *other != document);
            }
            !handler.documents.is_empty()
        });
    }

    fn judge(&self, session: &Session, protocols: &[StreamProtocol]) -> Result<(), ErrorObject> {
        let table = self.table.borrow();
        let taken = protocols.iter().find(|protocol| {
            table
                .get(protocol.as_ref())
                .is_some_and(|handler| handler.origin != *session.origin())
        });
        if let Some(taken) = taken {
            return Err(
                error(ErrorCode::Refused, "Another site handles that protocol.")
                    .with_detail(taken.to_string()),
            );
        }
        let own = table
            .iter()
            .filter(|(_, handler)| handler.origin == *session.origin())
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
                origin: session.origin().clone(),
                documents: Vec::new(),
                incoming: incoming.clone(),
                _stop: stop,
            },
        );
        core.spawn(accept(core.clone(), protocol, incoming, stopped));
    }
    let mut table = handlers.table.borrow_mut();
    for protocol in &protocols {
        if let Some(handler) = table.get_mut(protocol.as_ref()) {
            handler.documents.retain(|document| *document != session.id);
            handler.documents.push(session.id);
        }
    }
    Ok(())
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
            // Without a document there is no handler; the stream is dropped, which resets it.
            if let Some(session) = document.and_then(|id| core.sessions.get(id)) {
                deliver(&core, &session, stream);
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
