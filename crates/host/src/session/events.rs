//! Events, to the documents that subscribed and hold what the data needs.

use mooring_api::{
    event::{ConnectionEvent, ConnectionUpgraded, EventName, PeerEvent, StateChanged},
    results::Granted,
};
use mooring_node::Event;
use serde::Serialize;

use super::{
    Session,
    work::{page_connection, page_path},
};
use crate::host::Core;

fn send<P: Serialize>(core: &Core, session: &Session, event: EventName, params: &P) {
    if !session.subscriptions.borrow().contains(&event) {
        return;
    }
    // Judged now, not when it subscribed: grants end.
    let allowed = event
        .grant()
        .is_none_or(|grant| session.held(core).iter().any(|held| held.name() == grant));
    if allowed && session.events.take(core.platform.uptime()).is_ok() {
        session.notify(event.name(), params, None);
    }
}

fn send_all<P: Serialize>(core: &Core, event: EventName, params: &P) {
    for session in core.sessions.all() {
        send(core, &session, event, params);
    }
}

/// Something happened in the swarm.
pub(crate) fn node_event(core: &Core, event: Event) {
    match event {
        Event::PeerConnected { peer } => send_all(
            core,
            EventName::PeerConnected,
            &PeerEvent {
                peer_id: peer.to_string(),
            },
        ),
        Event::PeerDisconnected { peer } => send_all(
            core,
            EventName::PeerDisconnected,
            &PeerEvent {
                peer_id: peer.to_string(),
            },
        ),
        Event::ConnectionOpened { connection } => send_all(
            core,
            EventName::ConnectionOpened,
            &ConnectionEvent {
                connection: page_connection(connection),
                reason: None,
            },
        ),
        Event::ConnectionClosed { connection, reason } => send_all(
            core,
            EventName::ConnectionClosed,
            &ConnectionEvent {
                connection: page_connection(connection),
                reason,
            },
        ),
        Event::ConnectionUpgraded {
            connection,
            from,
            to,
        } => send_all(
            core,
            EventName::ConnectionUpgraded,
            &ConnectionUpgraded {
                connection: page_connection(connection),
                from: page_path(from),
                to: page_path(to),
            },
        ),
        Event::AddressesChanged => {}
    }
}

/// The node's state changed.
pub(crate) fn state_changed(core: &Core) {
    send_all(core, EventName::NodeStateChanged, &state(core));
}

/// Tells one document how the node is.
pub(super) fn state_to(core: &Core, session: &Session) {
    send(core, session, EventName::NodeStateChanged, &state(core));
}

fn state(core: &Core) -> StateChanged {
    let status = core.status();
    StateChanged {
        state: status.state,
        reason: status.reason,
    }
}

/// The grants of an origin changed.
pub(crate) fn permissions_changed(core: &Core, origin: &str) {
    for session in core.sessions.of_origin(origin) {
        let granted = Granted {
            granted: session.held(core).to_vec(),
        };
        send(core, &session, EventName::PermissionsChanged, &granted);
    }
}
