//! The popup's port: commands in, snapshots out; and the badge.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::Duration,
};

use futures::{FutureExt, select};
use libp2p::PeerId;
use mooring_api::{
    ErrorCode, ErrorObject,
    popup::{Command, FromPopup, IdentityState, PopupConnection, Relay, Site, Snapshot, ToPopup},
    results::NodeState,
};
use mooring_node::{DialRequest, Owner, RelayStatus, Scope, address_policy};

use crate::{
    Outlet, Value,
    error::{error, from_node, timeout},
    from_value,
    host::Core,
    limits::{COMMAND_TIMEOUT, MAX_POPUP_COMMANDS, SNAPSHOT_EVERY, SNAPSHOT_POLL},
    quota::{Slot, exceeded},
    session::{page_connection, permissions},
    to_value,
};

/// Every popup that is open; there is one, or none.
#[derive(Default)]
pub(crate) struct Popups {
    open: RefCell<HashMap<u64, Rc<PopupPort>>>,
    next: Cell<u64>,
}

/// One popup's port.
pub(crate) struct PopupPort {
    id: u64,
    outlet: Rc<dyn Outlet>,
    commands: Rc<Cell<u32>>,
}

impl PopupPort {
    pub(crate) fn open(core: &Rc<Core>, outlet: Rc<dyn Outlet>) -> Rc<Self> {
        let popups = &core.popups;
        let id = popups.next.get().wrapping_add(1);
        popups.next.set(id);
        let popup = Rc::new(PopupPort {
            id,
            outlet,
            commands: Rc::default(),
        });
        popups.open.borrow_mut().insert(id, popup.clone());
        // At once, whatever the others' rhythm: the popup shows nothing before.
        let (core, first) = (core.clone(), popup.clone());
        core.clone().spawn(async move {
            let snapshot = Box::pin(snapshot(&core)).await;
            first.post(&ToPopup::Snapshot(snapshot));
            core.changed.notify();
        });
        popup
    }

    pub(crate) fn closed(&self, core: &Rc<Core>) {
        core.popups.open.borrow_mut().remove(&self.id);
    }

    fn post(&self, message: &ToPopup) {
        match to_value(message) {
            Ok(message) => self.outlet.post(message),
            Err(fault) => tracing::error!(%fault, "a message for the popup could not be made"),
        }
    }

    pub(crate) fn receive(self: &Rc<Self>, core: &Rc<Core>, message: Value) {
        let FromPopup { id, command } = match from_value(message) {
            Ok(message) => message,
            Err(fault) => {
                tracing::warn!(%fault, "an unknown message from the popup");
                return;
            }
        };
        let Some(slot) = Slot::take(&self.commands, MAX_POPUP_COMMANDS) else {
            let error = Some(exceeded("popup commands", SNAPSHOT_EVERY));
            return self.post(&ToPopup::Done { id, error });
        };
        let (core, popup) = (core.clone(), self.clone());
        core.clone().spawn(async move {
            let error = select! {
                result = obey(&core, command).fuse() => result.err(),
                () = core.platform.sleep(COMMAND_TIMEOUT).fuse() => Some(timeout()),
            };
            drop(slot);
            popup.post(&ToPopup::Done { id, error });
            core.changed.notify();
        });
    }
}

async fn obey(core: &Rc<Core>, command: Command) -> Result<(), ErrorObject> {
    match command {
        Command::Dial { address } => {
            let address =
                address_policy::parse(address.trim(), Scope::PRIVATE).map_err(|e| from_node(&e))?;
            let request = DialRequest {
                peer: address_policy::peer_of(&address),
                addresses: vec![address],
                owner: Some(Owner::user()),
                scope: Scope::PRIVATE,
                timeout: COMMAND_TIMEOUT,
            };
            let node = core.node.handle(core).await?;
            node.dial(request)
                .await
                .map(drop)
                .map_err(|e| from_node(&e))
        }
        Command::HangUp { peer } => {
            let peer: PeerId = peer
                .parse()
                .map_err(|_| error(ErrorCode::InvalidParams, "That is no peer id."))?;
            let node = core.node.handle(core).await?;
            node.disconnect(peer).await.map_err(|e| from_node(&e))
        }
        Command::SetPaused { paused } => core.node.set_paused(core, paused).await,
        Command::SetAnnounced { everywhere } => core.announcing.set(core, everywhere).await,
        Command::SetIceServers { servers } => core.ice_servers.choose(core, servers).await,
        Command::ForgetSite { origin } => permissions::forget(core, &origin).await,
        Command::NewIdentity => core.node.new_identity().await,
        Command::RetryIdentity => core.node.retry_identity().await,
        // Only what stands in for a node in safe mode has something to start; here it runs, or is being started.
        Command::StartAgain => Ok(()),
    }
}

/// What the node says of itself, as far as it answers quickly.
#[derive(Default)]
struct NodeView {
    addresses: Vec<String>,
    connections: Vec<mooring_node::Connection>,
    agents: HashMap<PeerId, String>,
    relays: Vec<Relay>,
}

/// The node answers in microseconds, or is not to be waited for.
const NODE_ANSWER: Duration = Duration::from_secs(1);

async fn view(core: &Core, all: bool) -> NodeView {
    let Some(node) = core.node.running() else {
        return NodeView::default();
    };
    let ask = async {
        let mut view = NodeView {
            connections: node.connections().await?,
            ..NodeView::default()
        };
        if all {
            view.addresses = node
                .addresses()
                .await?
                .iter()
                .map(ToString::to_string)
                .collect();
            view.relays = node.relays().await?.into_iter().map(relay).collect();
            let peers = node.peers().await?;
            view.agents = peers
                .into_iter()
                .filter(|peer| peer.connected)
                .filter_map(|peer| Some((peer.peer, peer.agent?)))
                .collect();
        }
        Ok::<_, mooring_node::Error>(view)
    };
    select! {
        view = ask.fuse() => view.unwrap_or_default(),
        () = core.platform.sleep(NODE_ANSWER).fuse() => NodeView::default(),
    }
}

fn relay(status: RelayStatus) -> Relay {
    Relay {
        peer_id: status.peer.to_string(),
        reserved: status.reserved,
        failures: status.failures,
        cause: status.cause,
        retry_in_ms: status
            .retry_in
            .map(|pause| u32::try_from(pause.as_millis()).unwrap_or(u32::MAX)),
    }
}

async fn snapshot(core: &Rc<Core>) -> Snapshot {
    let view = view(core, true).await;
    let state = core.node.state();
    let mut peers: Vec<PeerId> = view.connections.iter().map(|c| c.peer).collect();
    peers.sort_unstable();
    peers.dedup();
    let mut connections = view.connections;
    connections.sort_by_key(|connection| connection.opened_at_ms);
    let trouble = core.trouble().map(str::to_owned);
    let trouble = trouble.or_else(|| core.remembered.trouble());
    Snapshot {
        product_version: core.platform.about().version.clone(),
        state: state.state,
        reason: state.reason.or(trouble),
        safe_mode: false,
        paused: state.paused,
        announced_everywhere: core.announcing.everywhere(),
        ice_servers: core.ice_servers.lines(),
        identity: state.identity,
        addresses: view.addresses,
        relays: view.relays,
        connections: connections
            .into_iter()
            .map(|connection| PopupConnection {
                agent: view.agents.get(&connection.peer).cloned(),
                owners: connection.owners.iter().map(ToString::to_string).collect(),
                connection: page_connection(connection),
            })
            .collect(),
        peers: u32::try_from(peers.len()).unwrap_or(u32::MAX),
        sites: sites(core),
    }
}

fn sites(core: &Core) -> Vec<Site> {
    core.grants
        .borrow()
        .sites(core.platform.now_ms())
        .into_iter()
        .map(|(origin, granted, denied)| Site {
            documents: u32::try_from(core.sessions.documents(&origin)).unwrap_or(u32::MAX),
            origin,
            granted,
            denied,
        })
        .collect()
}

fn badge_name(state: NodeState, identity: &IdentityState) -> &'static str {
    match (state, identity) {
        (_, IdentityState::Damaged { .. }) | (NodeState::Failed, _) => "failed",
        (NodeState::Starting, _) => "starting",
        (NodeState::Online, _) => "online",
        (NodeState::Offline, _) => "offline",
    }
}

/// Keeps the badge and every popup up to date, at most once each [`SNAPSHOT_EVERY`].
pub(crate) async fn observe(core: Rc<Core>) {
    let mut shown = None;
    loop {
        let seen = core.changed.seen();
        let popups: Vec<Rc<PopupPort>> = core.popups.open.borrow().values().cloned().collect();
        let connections = view(&core, false).await.connections.len();
        let connections = u32::try_from(connections).unwrap_or(u32::MAX);
        let state = core.node.state();
        let badge = (badge_name(state.state, &state.identity), connections);
        if shown != Some(badge) {
            core.platform.set_badge(badge.0, badge.1);
            shown = Some(badge);
        }
        let anybody = !popups.is_empty();
        if anybody {
            let snapshot = ToPopup::Snapshot(Box::pin(snapshot(&core)).await);
            for popup in popups {
                popup.post(&snapshot);
            }
        }
        core.platform.sleep(SNAPSHOT_EVERY).await;
        if anybody {
            select! {
                () = core.changed.changed(seen).fuse() => {}
                () = core.platform.sleep(SNAPSHOT_POLL).fuse() => {}
            }
        } else {
            core.changed.changed(seen).await;
        }
    }
}
