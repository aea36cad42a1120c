//! Streams of pages: opened, handled, and carried over the runtime port as the contract's stream ports.

mod credit;
mod gather;
mod handlers;
mod pump;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    task::Waker,
};

use libp2p::PeerId;
use mooring_api::{ErrorObject, descriptor::allows_protocol, event::STREAMS_INCOMING, results};
use mooring_node::{Effort, Handle, IncomingStream, OpenStream, OpenedStream, Path};

pub(crate) use self::handlers::{Handlers, handle};
use self::{
    credit::{Machine, Said},
    gather::{Gather, PlatformClock},
};
use crate::{
    Value,
    error::from_node,
    host::Core,
    limits::{
        CREDIT_FEW, CREDIT_MANY, CREDIT_SOME, FEW_STREAMS, MAX_STREAMS_PER_ORIGIN, SOME_STREAMS,
    },
    quota::{Slot, exceeded},
    session::{Session, count},
};

/// When a stream will have ended cannot be known.
const RETRY_STREAMS: std::time::Duration = std::time::Duration::from_secs(1);

/// The host's side of one stream port.
pub(crate) struct StreamPort {
    /// Its name in the page API.
    pub(crate) id: String,
    /// What both ends agreed on.
    pub(crate) protocol: String,
    peer: PeerId,
    path: Path,
    machine: RefCell<Machine>,
    pump: RefCell<Option<Waker>>,
}

impl StreamPort {
    /// A message of the page came.
    pub(crate) fn receive(&self, message: Value) {
        self.machine.borrow_mut().page_says(Said::read(message));
        self.wake();
    }

    /// Ends the stream abruptly, both ways.
    pub(crate) fn reset(&self, reason: &'static str) {
        self.machine.borrow_mut().reset(reason);
        self.wake();
    }

    /// The connection below is gone. A stream that is not being read or written would not notice by itself.
    fn connection_gone(&self) {
        self.machine.borrow_mut().connection_gone();
        self.wake();
    }

    fn wake(&self) {
        // Taken out first: waking may poll at once.
        let waker = self.pump.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// What begins once the message has been posted with which a stream's port goes out.
pub(crate) type Begin = Box<dyn FnOnce()>;

thread_local! {
    static NEXT: Cell<u64> = const { Cell::new(1) };
}

fn next_id() -> String {
    NEXT.with(|next| {
        let id = next.get();
        next.set(id.wrapping_add(1));
        format!("s{id}")
    })
}

/// Credit for a stream of an origin that has so many: every stream gets enough, and all together stay bounded.
fn window(streams: u32) -> u64 {
    match streams {
        0..=FEW_STREAMS => CREDIT_FEW,
        _ if streams <= SOME_STREAMS => CREDIT_SOME,
        _ => CREDIT_MANY,
    }
}

/// Opens a stream for a document.
pub(crate) async fn open(
    core: &Rc<Core>,
    session: &Rc<Session>,
    request: OpenStream,
) -> Result<(results::Stream, Begin), ErrorObject> {
    let slot = Slot::take(&session.site.streams, MAX_STREAMS_PER_ORIGIN)
        .ok_or_else(|| exceeded("streams", RETRY_STREAMS))?;
    let node = core.node.handle(core).await?;
    let connected = OpenStream {
        dial: None,
        ..request.clone()
    };
    let opened = match (node.open_stream(connected).await, request.dial_request()) {
        // A dial like any other, and perhaps a lookup: not counted, this would be a way around the limits.
        (Err(mooring_node::Error::NotConnected), Some(dial)) => {
            let effort = node.effort(dial).await.map_err(|e| from_node(&e))?;
            // A circuit is no connection to a request that does not allow one.
            let effort = match effort {
                Effort::Nothing => Effort::Dial,
                effort => effort,
            };
            let _lookup = count(core, session, effort)?;
            node.open_stream(request).await
        }
        (opened, _) => opened,
    };
    Ok(begin(
        core,
        session,
        slot,
        opened.map_err(|e| from_node(&e))?,
    ))
}

/// Gives an inbound stream to a document.
fn deliver(core: &Rc<Core>, session: &Rc<Session>, incoming: IncomingStream) {
    // The hour of a grant may have ended before its handlers were. Dropped, which the remote sees as a reset.
    if !allows_protocol(&session.held(core), incoming.protocol.as_ref()) {
        return;
    }
    // Over the cap it is dropped likewise.
    let Some(slot) = Slot::take(&session.site.streams, MAX_STREAMS_PER_ORIGIN) else {
        return;
    };
    let opened = OpenedStream {
        stream: incoming.stream,
        protocol: incoming.protocol,
        peer: incoming.peer,
        relayed: incoming.relayed,
    };
    let dropped = core.handlers.take_dropped(opened.protocol.as_ref());
    let (stream, begin) = begin(core, session, slot, opened);
    let result = results::Incoming {
        stream: stream.stream,
        protocol: stream.protocol,
        peer: stream.peer,
        dropped: (dropped > 0).then_some(dropped),
    };
    session.notify(STREAMS_INCOMING, &result, Some(&result.stream));
    begin();
}

fn begin(
    core: &Rc<Core>,
    session: &Rc<Session>,
    slot: Slot,
    opened: OpenedStream,
) -> (results::Stream, Begin) {
    let OpenedStream {
        stream,
        protocol,
        peer,
        relayed,
    } = opened;
    let id = next_id();
    let port = Rc::new(StreamPort {
        id: id.clone(),
        protocol: protocol.to_string(),
        peer,
        path: if relayed { Path::Relayed } else { Path::Direct },
        machine: RefCell::new(Machine::new(window(session.site.streams.get()))),
        pump: RefCell::default(),
    });
    let result = results::Stream {
        stream: id.clone(),
        protocol: protocol.to_string(),
        peer: peer.to_string(),
    };
    let (core, session) = (core.clone(), session.clone());
    let run = Box::new(move || {
        if session.is_closed() {
            return;
        }
        session.add_stream(port.clone());
        core.clone().spawn(async move {
            let post = {
                let (session, id) = (session.clone(), port.id.clone());
                move |m: Value| session.post_port(&id, m)
            };
            let gather = Gather::new(Rc::new(PlatformClock(core.platform.clone())));
            pump::run(&port, stream, gather, post).await;
            session.remove_stream(&port.id);
            drop(slot);
        });
    });
    (result, run)
}

/// Tells streams whose connection has gone; `peer`: only its streams, since only it lost a connection. Without a node
/// every connection has.
pub(crate) async fn connections_gone(core: &Core, node: Option<&Handle>, peer: Option<PeerId>) {
    // Those that are there now: one that opens while the node is asked may be on a connection that it does not name.
    let streams: Vec<Rc<StreamPort>> = core
        .sessions
        .all()
        .iter()
        .flat_map(|session| session.all_streams())
        .filter(|stream| peer.is_none_or(|peer| stream.peer == peer))
        .collect();
    if streams.is_empty() {
        return;
    }
    // A node that does not answer any more has none.
    let connections = match node {
        Some(node) => node.connections().await.unwrap_or_default(),
        None => Vec::new(),
    };
    for stream in streams {
        // A stream does not say which of several connections of one kind carries it.
        let carried = connections
            .iter()
            .any(|open| open.peer == stream.peer && open.path == stream.path);
        if !carried {
            stream.connection_gone();
        }
    }
}

#[cfg(test)]
mod tests;
