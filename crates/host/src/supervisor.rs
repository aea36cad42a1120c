//! Starts the node once its identity is there, starts it again when it ends, and knows how it is.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use futures::{FutureExt, StreamExt, channel::oneshot, select};
use libp2p::identity::Keypair;
use mooring_api::{
    ErrorCode, ErrorObject,
    popup::IdentityState,
    results::{NodeState, Status},
};
use mooring_node::{Config, Event, Handle};

use crate::{
    Area, Value,
    error::{error, from_node, not_running},
    host::Core,
    identity::{self, Identity},
    limits::{
        CLOCK_EVERY, CLOCK_GAP, COMMAND_TIMEOUT, NODE_WAIT, RESTART_FORGET, RESTART_MAX,
        RESTART_MIN, reported,
    },
    session::events,
    signal::Signal,
    slots, streams,
};

/// Where the user's pause is kept, so that a restart of the browser does not undo it.
const PAUSED: &str = "paused";

/// How the node is.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) state: NodeState,
    pub(crate) reason: Option<String>,
    pub(crate) identity: IdentityState,
    pub(crate) paused: bool,
    /// Whether the machine has the network that it had; one that never had any counts as having it.
    network: bool,
    handle: Option<Handle>,
}

/// What the user wants done about a damaged identity.
enum Choice {
    New,
    Retry,
}

type Decision = (Choice, oneshot::Sender<Result<(), ErrorObject>>);

/// The node's keeper.
pub(crate) struct Supervisor {
    state: RefCell<State>,
    changed: Signal,
    damaged: RefCell<Option<oneshot::Sender<Decision>>>,
    ending: Cell<bool>,
}

impl Default for Supervisor {
    fn default() -> Self {
        Supervisor {
            state: RefCell::new(State {
                state: NodeState::Starting,
                reason: None,
                identity: IdentityState::Loading,
                paused: false,
                network: true,
                handle: None,
            }),
            changed: Signal::default(),
            damaged: RefCell::default(),
            ending: Cell::new(false),
        }
    }
}

impl Supervisor {
    /// How it is now.
    pub(crate) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// As `node.status` says it.
    pub(crate) fn status(&self) -> Status {
        let state = self.state.borrow();
        let (transports, services) = match &state.handle {
            Some(handle) => (
                handle
                    .transports()
                    .iter()
                    .map(|kind| kind.as_str().to_owned())
                    .collect(),
                handle
                    .services()
                    .iter()
                    .map(|name| (*name).to_owned())
                    .collect(),
            ),
            None => (Vec::new(), Vec::new()),
        };
        Status {
            state: state.state,
            reason: state.reason.clone(),
            transports,
            services,
            limits: reported(),
        }
    }

    /// The node, if it runs now.
    pub(crate) fn running(&self) -> Option<Handle> {
        self.state.borrow().handle.clone()
    }

    pub(crate) fn seen(&self) -> u64 {
        self.changed.seen()
    }

    pub(crate) async fn changed(&self, seen: u64) {
        self.changed.changed(seen).await;
    }

    /// The node, within [`NODE_WAIT`] if it is being started.
    ///
    /// # Errors
    /// 4900.
    pub(crate) async fn handle(&self, core: &Core) -> Result<Handle, ErrorObject> {
        let mut limit = core.platform.sleep(NODE_WAIT).fuse();
        loop {
            let seen = self.seen();
            let (handle, damaged) = {
                let state = self.state.borrow();
                (
                    state.handle.clone(),
                    matches!(state.identity, IdentityState::Damaged { .. }),
                )
            };
            if let Some(handle) = handle {
                return Ok(handle);
            }
            // It waits for a person.
            if damaged || self.ending.get() {
                return Err(self.why_not());
            }
            select! {
                () = self.changed(seen).fuse() => {}
                () = limit => return Err(self.why_not()),
            }
        }
    }

    fn why_not(&self) -> ErrorObject {
        let reason = self.state.borrow().reason.clone();
        not_running(reason.unwrap_or_else(|| "It is being started.".into()))
    }

    fn set(&self, core: &Core, change: impl FnOnce(&mut State)) {
        let before = self.state();
        change(&mut self.state.borrow_mut());
        let after = self.state();
        self.changed.notify();
        core.changed.notify();
        if (before.state, &before.reason) != (after.state, &after.reason) {
            events::state_changed(core);
        }
    }

    fn set_state(&self, core: &Core, state: NodeState, reason: Option<String>) {
        self.set(core, |now| {
            now.state = state;
            now.reason = reason;
        });
    }

    /// The user pauses the node, or lets it run.
    pub(crate) async fn set_paused(&self, core: &Core, paused: bool) -> Result<(), ErrorObject> {
        if let Some(handle) = self.running() {
            handle.set_paused(paused).await.map_err(|e| from_node(&e))?;
        }
        self.set(core, |state| {
            state.paused = paused;
            if state.handle.is_some() {
                (state.state, state.reason) = when_running(state);
            }
        });
        let value = if paused { "yes" } else { "no" };
        slots::set(&*core.platform, Area::Storage, PAUSED, value)
            .await
            .map_err(|fault| {
                error(
                    ErrorCode::Internal,
                    "It holds for now, but could not be stored.",
                )
                .with_detail(fault.to_string())
            })
    }

    /// The browser says that the network is lost, or is there again.
    pub(crate) fn set_network(&self, core: &Rc<Core>, available: bool) {
        self.set(core, |state| {
            state.network = available;
            if state.handle.is_some() {
                (state.state, state.reason) = when_running(state);
            }
        });
        if let Some(node) = self.running() {
            let told = core.clone();
            core.spawn(async move {
                // As it is by then: the last word counts. A node that has ended needs none.
                let _ = node.set_network(told.node.state().network).await;
            });
        }
    }

    /// The machine slept, or its clock was set: what broke meanwhile is dialed at once, as after a loss of the network.
    fn resumed(&self, core: &Rc<Core>) {
        let Some(node) = self.running() else {
            return;
        };
        let told = core.clone();
        core.spawn(async move {
            // A node that has ended needs none.
            let _ = node.set_network(told.node.state().network).await;
        });
    }

    /// The user wants a new identity in place of a damaged one.
    pub(crate) async fn new_identity(&self) -> Result<(), ErrorObject> {
        self.decide(Choice::New).await
    }

    /// The user wants the identity to be read once more.
    pub(crate) async fn retry_identity(&self) -> Result<(), ErrorObject> {
        self.decide(Choice::Retry).await
    }

    async fn decide(&self, choice: Choice) -> Result<(), ErrorObject> {
        let waiting = self.damaged.borrow_mut().take();
        let (done, result) = oneshot::channel();
        let sent = waiting.is_some_and(|waiting| waiting.send((choice, done)).is_ok());
        if !sent {
            return Err(error(
                ErrorCode::InvalidRequest,
                "The identity is not damaged.",
            ));
        }
        result
            .await
            .unwrap_or_else(|_| Err(not_running("The host is ending.")))
    }
}

fn when_running(state: &State) -> (NodeState, Option<String>) {
    let offline = |reason: &str| (NodeState::Offline, Some(reason.to_owned()));
    if state.paused {
        offline("The user has paused the node.")
    } else if !state.network {
        offline("The network is lost.")
    } else {
        (NodeState::Online, None)
    }
}

/// Waits that double.
struct Backoff(Duration);

impl Backoff {
    fn new() -> Self {
        Backoff(RESTART_MIN)
    }

    async fn wait(&mut self, core: &Core) {
        core.platform.sleep(self.0).await;
        self.0 = self.0.saturating_mul(2).min(RESTART_MAX);
    }
}

/// Keeps the node running for as long as the host does.
pub(crate) async fn run(core: Rc<Core>) {
    let paused = slots::get(&*core.platform, Area::Storage, PAUSED).await;
    if let Ok(Some(Value::Text(paused))) = paused {
        core.node.set(&core, |state| state.paused = paused == "yes");
    }
    let keypair = identity_of(&core).await;
    let mut backoff = Backoff::new();
    while !core.node.ending.get() {
        let started = core.platform.uptime();
        let reason = run_once(&core, &keypair).await;
        core.node.set(&core, |state| {
            state.handle = None;
            state.state = if core.node.ending.get() {
                NodeState::Offline
            } else {
                NodeState::Failed
            };
            state.reason = Some(reason);
        });
        if core.platform.uptime().saturating_sub(started) > RESTART_FORGET {
            backoff = Backoff::new();
        }
        backoff.wait(&core).await;
    }
}

/// The identity, as soon as there is one.
async fn identity_of(core: &Rc<Core>) -> Keypair {
    let mut backoff = Backoff::new();
    loop {
        match identity::load(&*core.platform).await {
            Ok(Identity::Ready(keypair)) => {
                let peer_id = keypair.public().to_peer_id().to_string();
                core.node.set(core, |state| {
                    state.identity = IdentityState::Ready { peer_id };
                    state.state = NodeState::Starting;
                    state.reason = None;
                });
                return keypair;
            }
            Ok(Identity::Damaged(detail)) => {
                tracing::error!(detail, "the identity is damaged");
                core.node.set(core, |state| {
                    state.state = NodeState::Failed;
                    state.reason = Some(format!(
                        "{detail} Open the extension's popup to choose what to do."
                    ));
                    state.identity = IdentityState::Damaged { detail };
                });
                wait_for_choice(core).await;
            }
            Err(fault) => {
                tracing::error!(%fault, "the identity cannot be read");
                let reason = format!("The identity cannot be read: {fault}.");
                core.node.set_state(core, NodeState::Failed, Some(reason));
                backoff.wait(core).await;
            }
        }
    }
}

/// Waits until the user decided about a damaged identity, and does it.
async fn wait_for_choice(core: &Rc<Core>) {
    let (decide, decision) = oneshot::channel();
    *core.node.damaged.borrow_mut() = Some(decide);
    let Ok((choice, done)) = decision.await else {
        return;
    };
    let result = match choice {
        Choice::Retry => Ok(()),
        Choice::New => identity::renew(&*core.platform)
            .await
            .map(drop)
            .map_err(|fault| {
                error(ErrorCode::Internal, "The new identity could not be stored.")
                    .with_detail(fault.to_string())
            }),
    };
    // A popup that closed meanwhile sees the outcome in its next snapshot.
    let _ = done.send(result);
}

/// Starts the node and runs it to its end; says why it ended.
async fn run_once(core: &Rc<Core>, keypair: &Keypair) -> String {
    let about = core.platform.about();
    let mut config = Config::client(keypair.clone());
    config.agent_version = format!("mooring/{} ({})", about.version, about.browser);
    config.ice_servers = core.ice_servers.read(&*core.platform).await;
    config.known_peers = core.remembered.read(&*core.platform).await;
    #[cfg(test)]
    {
        // The machine's own network is not for tests.
        config.webrtc_addresses = Some(vec![std::net::Ipv4Addr::LOCALHOST.into()]);
    }
    let (handle, event_loop) = match mooring_node::new(config) {
        Ok(node) => node,
        Err(fault) => {
            tracing::error!(%fault, "the node does not start");
            return format!("The node does not start: {fault}.");
        }
    };
    let (ended, end) = oneshot::channel();
    core.spawn(async move {
        event_loop.run().await;
        // Nobody waits when the host has ended too.
        let _ = ended.send(());
    });
    // Paused before anybody gets to use it.
    let State {
        paused, network, ..
    } = core.node.state();
    if !network {
        // One that has ended already is noticed below.
        let _ = handle.set_network(false).await;
    }
    if paused && let Err(fault) = handle.set_paused(true).await {
        tracing::error!(%fault, "the node cannot be paused");
        handle.shutdown().await;
        return format!("The node cannot be paused: {fault}.");
    }
    core.spawn(follow(core.clone(), handle.clone()));
    core.node.set(core, |state| {
        state.handle = Some(handle);
        (state.state, state.reason) = when_running(state);
    });
    tracing::info!("the node runs");
    // Either way it has ended.
    let _ = end.await;
    tracing::warn!("the node has ended");
    "The node has ended and is started anew.".to_owned()
}

/// Hands the node's events on until it ends.
async fn follow(core: Rc<Core>, node: Handle) {
    // The stream also ends when we fell behind; then what was missed is gone, and the next snapshot shows it.
    while let Ok(mut happenings) = node.events().await {
        streams::connections_gone(&core, Some(&node), None).await;
        while let Some(event) = happenings.next().await {
            let closed = match &event {
                Event::ConnectionClosed { connection, .. } => Some(connection.peer),
                _ => None,
            };
            events::node_event(&core, event);
            core.changed.notify();
            if closed.is_some() {
                streams::connections_gone(&core, Some(&node), closed).await;
            }
        }
    }
    streams::connections_gone(&core, None, None).await;
}

/// Two clocks that are looked at now and then. One of them may stand still while the machine sleeps, and the other may be set.
struct Clocks {
    wall_ms: u64,
    uptime: Duration,
}

impl Clocks {
    /// Whether much more time passed since the last look than one waits between two, by either clock.
    fn jumped(&mut self, now: Clocks) -> bool {
        let passed = Duration::from_millis(now.wall_ms.saturating_sub(self.wall_ms))
            .max(now.uptime.saturating_sub(self.uptime));
        *self = now;
        passed > CLOCK_EVERY.saturating_add(CLOCK_GAP)
    }
}

/// Notices that the machine slept, as long as the host runs. A clock that is set forward looks the same, and what follows harms nobody.
pub(crate) async fn watch_clock(core: Rc<Core>) {
    let look = || Clocks {
        wall_ms: core.platform.now_ms(),
        uptime: core.platform.uptime(),
    };
    let mut clocks = look();
    loop {
        core.platform.sleep(CLOCK_EVERY).await;
        if clocks.jumped(look()) {
            tracing::info!("the machine slept, or its clock was set");
            core.node.resumed(&core);
        }
    }
}

/// Ends the node for good.
pub(crate) async fn shutdown(core: &Rc<Core>) {
    core.node.ending.set(true);
    if let Some(handle) = core.node.running() {
        let mut limit = core.platform.sleep(COMMAND_TIMEOUT).fuse();
        select! {
            () = handle.shutdown().fuse() => {}
            () = limit => tracing::warn!("the node did not end in time"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_shows_by_either_clock_and_a_clock_set_back_does_not() {
        let at = |wall: u64, uptime: u64| Clocks {
            wall_ms: wall * 1000,
            uptime: Duration::from_secs(uptime),
        };
        let year = 365 * 24 * 60 * 60;
        for ((wall, uptime), jumped) in [
            ((2, 2), false),
            // Timers are late on a busy machine.
            ((8, 8), false),
            // The monotonic clock stood still, or went on.
            ((60, 2), true),
            ((60, 60), true),
            // Set forward, set back.
            ((10 * year, 2), true),
            ((0, 2), false),
        ] {
            let mut clocks = at(1, 0);
            assert_eq!(
                clocks.jumped(at(wall + 1, uptime)),
                jumped,
                "{wall} {uptime}"
            );
            // From then on the new time is the time.
            assert!(!clocks.jumped(at(wall + 3, uptime + 2)));
        }
        let mut set_back = at(10 * year, 0);
        assert!(!set_back.jumped(at(0, 2)));
        assert!(!set_back.jumped(at(2, 4)));
    }
}
