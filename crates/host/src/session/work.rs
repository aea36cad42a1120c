//! The work itself: what remains when everything has been judged.

use std::{rc::Rc, time::Duration};

use mooring_api::{
    ErrorCode, ErrorObject,
    results::{Connection, Connections, Dialed, Direction, Identity, Path, Peer, Peers, Ping},
};
use mooring_node::{DialRequest, Effort, Owner};
use serde::Serialize;

use super::{Session, dht, dispatch::internal, permissions, plan::Work, pubsub};
use crate::{
    Value,
    error::{error, from_node},
    host::Core,
    quota::{Slot, exceeded},
    streams, to_value,
};

/// A result, and what begins once it has been posted.
pub(super) struct Outcome {
    pub(super) value: Value,
    /// The stream whose port goes with it.
    pub(super) stream: Option<String>,
    /// What is done once it has been posted.
    pub(super) then: Option<Box<dyn FnOnce()>>,
}

impl From<Value> for Outcome {
    fn from(value: Value) -> Self {
        Outcome {
            value,
            stream: None,
            then: None,
        }
    }
}

pub(super) fn done<T: Serialize>(result: &T) -> Result<Outcome, ErrorObject> {
    to_value(result).map(Outcome::from).map_err(internal)
}

/// `{}`.
pub(super) fn nothing() -> Result<Outcome, ErrorObject> {
    Ok(Outcome::from(Value::Map(Vec::new())))
}

/// Does it. Dropping the future gives up; what the node has begun by then ends by itself or is kept by nobody.
pub(super) async fn run(
    core: &Rc<Core>,
    session: &Rc<Session>,
    work: Work,
    timeout: Duration,
) -> Result<Outcome, ErrorObject> {
    match work {
        Work::Quick => nothing(),
        Work::RequestPermissions(wanted) => {
            done(&permissions::request(core, session, wanted).await?)
        }
        Work::Revoke(taken) => done(&permissions::revoke(core, session, taken).await?),
        Work::Identity => {
            let node = core.node.handle(core).await?;
            let addresses = node.addresses().await.map_err(|e| from_node(&e))?;
            done(&Identity {
                peer_id: node.local_peer_id().to_string(),
                addresses: addresses.iter().map(ToString::to_string).collect(),
            })
        }
        Work::Peers => {
            let node = core.node.handle(core).await?;
            let mut peers = node.peers().await.map_err(|e| from_node(&e))?;
            peers.sort_by_key(|peer| !peer.connected);
            done(&Peers {
                peers: peers.into_iter().map(page_peer).collect(),
            })
        }
        Work::Ping(peer) => {
            let node = core.node.handle(core).await?;
            let rtt = node.ping(peer).await.map_err(|e| from_node(&e))?;
            done(&Ping {
                rtt_ms: milliseconds(rtt),
            })
        }
        Work::Dial {
            peer,
            addresses,
            scope,
        } => {
            let node = core.node.handle(core).await?;
            let request = DialRequest {
                peer,
                addresses,
                owner: Some(Owner::new(session.origin())),
                scope,
                timeout,
            };
            let effort = node.effort(request.clone()).await;
            let _lookup = count(core, session, effort.map_err(|e| from_node(&e))?)?;
            let connection = node.dial(request).await.map_err(|e| from_node(&e))?;
            done(&Dialed {
                connection: page_connection(connection),
            })
        }
        Work::Connections => {
            let node = core.node.handle(core).await?;
            let mut connections = node.connections().await.map_err(|e| from_node(&e))?;
            connections.sort_by_key(|connection| connection.opened_at_ms);
            done(&Connections {
                connections: connections.into_iter().map(page_connection).collect(),
            })
        }
        Work::Release(peer) => {
            let node = core.node.handle(core).await?;
            node.release(peer, Owner::new(session.origin()))
                .await
                .map_err(|e| from_node(&e))?;
            nothing()
        }
        Work::OpenStream {
            peer,
            protocols,
            allow_relayed,
            dial,
        } => {
            let request = mooring_node::OpenStream {
                peer,
                protocols,
                allow_relayed,
                dial,
                owner: Some(Owner::new(session.origin())),
                timeout,
            };
            let (stream, begin) = streams::open(core, session, request).await?;
            let value = to_value(&stream).map_err(internal)?;
            Ok(Outcome {
                value,
                stream: Some(stream.stream),
                then: Some(begin),
            })
        }
        Work::Handle(protocols) => {
            streams::handle(core, session, protocols).await?;
            nothing()
        }
        Work::Unhandle(protocols) => {
            for protocol in &protocols {
                core.handlers.unhandle(session, protocol.as_ref());
            }
            nothing()
        }
        Work::Subscribe(events) => {
            session.subscriptions.borrow_mut().extend(events);
            session.tell_subscriptions();
            nothing()
        }
        Work::Unsubscribe(events) => {
            session
                .subscriptions
                .borrow_mut()
                .retain(|event| !events.contains(event));
            session.tell_subscriptions();
            nothing()
        }
        Work::Dht(lookup, scope) => dht::run(core, session, lookup, scope, timeout).await,
        Work::Pubsub(ask) => pubsub::run(core, session, ask).await,
        Work::NotBuilt(method) => Err(error(
            ErrorCode::Unsupported,
            format!("{} is not in this build.", method.name()),
        )),
    }
}

/// A dial takes a token of the site's, and one that has to look the peer up takes what a lookup does, which ends when the result is dropped.
pub(crate) fn count(
    core: &Core,
    session: &Session,
    effort: Effort,
) -> Result<Option<Slot>, ErrorObject> {
    if effort == Effort::Nothing {
        return Ok(None);
    }
    session
        .site
        .dials
        .take(core.platform.uptime())
        .map_err(|wait| exceeded("dialsPerSecond", wait))?;
    match effort {
        Effort::LookUp => dht::count(core, session).map(Some),
        Effort::Dial | Effort::Nothing => Ok(None),
    }
}

fn milliseconds(duration: Duration) -> f64 {
    // Microseconds are as fine as a page's own clock; more digits would only be noise.
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn page_peer(peer: mooring_node::Peer) -> Peer {
    Peer {
        peer_id: peer.peer.to_string(),
        addresses: peer.addresses.iter().map(ToString::to_string).collect(),
        protocols: peer.protocols,
        agent: peer.agent,
        connected: peer.connected,
        rtt_ms: peer.rtt.map(milliseconds),
    }
}

/// A connection as the page API (and the popup) shows it.
pub(crate) fn page_connection(connection: mooring_node::Connection) -> Connection {
    Connection {
        id: connection.id,
        peer_id: connection.peer.to_string(),
        remote_address: connection.remote_address.to_string(),
        direction: match connection.direction {
            mooring_node::Direction::Inbound => Direction::Inbound,
            mooring_node::Direction::Outbound => Direction::Outbound,
        },
        path: page_path(connection.path),
        transport: connection.transport.as_str().to_owned(),
        opened_at: connection.opened_at_ms,
        rtt_ms: connection.rtt.map(milliseconds),
    }
}

/// A path likewise.
pub(crate) fn page_path(path: mooring_node::Path) -> Path {
    match path {
        mooring_node::Path::Direct => Path::Direct,
        mooring_node::Path::Relayed => Path::Relayed,
    }
}
