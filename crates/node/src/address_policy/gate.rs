//! The last check before an address is dialed, whoever asks: the DHT, identify, a relay's
//! reservation, a resolved name, or a request.

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId,
    core::transport::{DialOpts, ListenerId, Transport, TransportError, TransportEvent},
    multiaddr::Protocol,
};

use mooring_webrtc::core::signalling::address::is_signalled;
use web_time::Instant;

use super::judge;
use crate::{
    Scope,
    limits::{ATTEMPT, MET_PRIVATELY},
};

/// Which addresses the transports may dial: those the node's own scope allows, and those that a
/// request with a wider one has approved, while it lasts.
#[derive(Debug)]
pub(crate) struct Gate {
    scope: Scope,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    paused: bool,
    /// Approved addresses and by how many requests; bounded by the requests under way.
    approved: HashMap<Multiaddr, usize>,
    /// Peers whose private ICE candidates may be used, and by how many reasons; bounded as `approved`.
    peers: HashMap<PeerId, usize>,
    /// Peers that somebody wants connected; bounded by the connections.
    wanted: HashSet<PeerId>,
    /// When private candidates were last open to a peer. The swarm does not say which attempt a connection is from, so what comes
    /// within the time of one counts.
    met: HashMap<PeerId, Instant>,
    /// As `met`, for those that found no room: then anybody may be one.
    met_more: Option<Instant>,
    /// Does somebody with a private scope take streams from anybody?
    private_streams: bool,
}

fn is_recent(at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(at) <= ATTEMPT
}

/// Why an address may be dialed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passed {
    /// Anybody may dial it.
    ByScope,
    /// A request has approved this very address.
    Approved,
}

thread_local! {
    /// How the address passed whose dial is being polled: what its name resolves to is dialed within that.
    static DIALING: Cell<Option<Passed>> = const { Cell::new(None) };
}

impl Gate {
    pub(crate) fn new(scope: Scope) -> Arc<Self> {
        Arc::new(Self {
            scope,
            state: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_paused(&self, paused: bool) {
        self.lock().paused = paused;
    }

    /// Lets addresses through that were judged for a request, until the approval is dropped.
    pub(crate) fn approve(self: &Arc<Self>, addresses: &[Multiaddr]) -> Approval {
        let mut state = self.lock();
        let mut keys = Vec::new();
        for address in addresses {
            let key = without_peer(address);
            // The relay is dialed first, by the relay client, on the request's behalf.
            keys.extend(relay_of(&key));
            // Then the circuit, for signalling.
            keys.extend(circuit_of(&key));
            keys.push(key);
        }
        for key in &keys {
            let count = state.approved.entry(key.clone()).or_default();
            *count = count.saturating_add(1);
        }
        Approval {
            gate: Arc::clone(self),
            keys,
        }
    }

    /// Lets this peer's private ICE candidates be used, and ours be told to it, until the approval is dropped.
    pub(crate) fn approve_peer(self: &Arc<Self>, peer: PeerId) -> PeerApproval {
        let mut state = self.lock();
        let count = state.peers.entry(peer).or_default();
        *count = count.saturating_add(1);
        PeerApproval {
            gate: Arc::clone(self),
            peer,
        }
    }

    /// Lets everybody's, while somebody with a private scope takes streams from anybody.
    pub(crate) fn set_private_streams(&self, taken: bool) {
        self.lock().private_streams = taken;
    }

    pub(crate) fn reaches_privately(&self, peer: &PeerId) -> bool {
        let state = self.lock();
        self.scope.private_network || state.private_streams || state.peers.contains_key(peer)
    }

    /// Somebody wants this peer connected, or nobody does any more.
    pub(crate) fn set_wanted(&self, peer: PeerId, wanted: bool) {
        let mut state = self.lock();
        if wanted {
            state.wanted.insert(peer);
        } else {
            state.wanted.remove(&peer);
        }
    }

    pub(super) fn is_wanted(&self, peer: &PeerId) -> bool {
        self.lock().wanted.contains(peer)
    }

    /// A candidate of this peer, or one of ours for it, that is not global may be used: what comes of the attempt is private.
    pub(super) fn note_private(&self, peer: &PeerId, now: Instant) {
        let mut state = self.lock();
        state.met.retain(|_, at| is_recent(*at, now));
        if state.met.len() < MET_PRIVATELY || state.met.contains_key(peer) {
            state.met.insert(*peer, now);
        } else {
            state.met_more = Some(now);
        }
    }

    /// Were private addresses open to an attempt of which a connection may come now?
    pub(crate) fn met_privately(&self, peer: &PeerId) -> bool {
        let (state, now) = (self.lock(), Instant::now());
        let noted = [state.met.get(peer).copied(), state.met_more];
        noted.into_iter().flatten().any(|at| is_recent(at, now))
    }

    /// May this address be dialed now?
    fn check(&self, address: &Multiaddr) -> Result<Passed, Denied> {
        let state = self.lock();
        if state.paused {
            return Err(Denied::Paused);
        }
        if state.approved.contains_key(&without_peer(address)) {
            return Ok(Passed::Approved);
        }
        drop(state);
        judge(address, self.scope)
            .map(|()| Passed::ByScope)
            .map_err(|_| Denied::Policy)
    }

    /// May what a name resolved to be dialed now? What an approved name leads to cannot be known in advance; any
    /// other is judged again.
    #[cfg(not(target_arch = "wasm32"))]
    fn check_resolved(&self, address: &Multiaddr) -> Result<Passed, Denied> {
        if self.lock().paused {
            return Err(Denied::Paused);
        }
        if DIALING.get() == Some(Passed::Approved) {
            return Ok(Passed::Approved);
        }
        judge(address, self.scope)
            .map(|()| Passed::ByScope)
            .map_err(|_| Denied::Policy)
    }
}

/// Lets its addresses through the gate while it lives.
#[derive(Debug)]
pub(crate) struct Approval {
    gate: Arc<Gate>,
    keys: Vec<Multiaddr>,
}

impl Drop for Approval {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        for key in &self.keys {
            if let Some(count) = state.approved.get_mut(key) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    state.approved.remove(key);
                }
            }
        }
    }
}

/// Lets a peer's private candidates be used while it lives.
#[derive(Debug)]
pub(crate) struct PeerApproval {
    gate: Arc<Gate>,
    peer: PeerId,
}

impl Drop for PeerApproval {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        if let Some(count) = state.peers.get_mut(&self.peer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                state.peers.remove(&self.peer);
            }
        }
    }
}

/// The swarm adds `/p2p/…` to what it dials.
fn without_peer(address: &Multiaddr) -> Multiaddr {
    let mut address = address.clone();
    if let Some(Protocol::P2p(_)) = address.iter().last() {
        address.pop();
    }
    address
}

fn relay_of(address: &Multiaddr) -> Option<Multiaddr> {
    let relay: Multiaddr = address
        .iter()
        .take_while(|protocol| *protocol != Protocol::P2pCircuit)
        .collect();
    (relay.len() < address.len()).then(|| without_peer(&relay))
}

/// The circuit that a `/webrtc` address is signalled over.
fn circuit_of(address: &Multiaddr) -> Option<Multiaddr> {
    if !is_signalled(address) {
        return None;
    }
    let circuit: Multiaddr = address
        .iter()
        .filter(|protocol| *protocol != Protocol::WebRTC)
        .collect();
    Some(without_peer(&circuit))
}

/// Why the gate let an address not through, or the transport's own error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GateError<E> {
    /// The gate's.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The transport's.
    #[error(transparent)]
    Transport(E),
}

/// Why the gate let an address not through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    /// Nothing is dialed while the user has paused the node.
    #[error("the node is paused")]
    Paused,
    /// Outside of the scope.
    #[error("not a global address")]
    Policy,
}

/// A transport behind the gate.
pub(crate) struct GatedTransport<T> {
    inner: T,
    gate: Arc<Gate>,
    check: fn(&Gate, &Multiaddr) -> Result<Passed, Denied>,
}

impl<T> GatedTransport<T> {
    /// Every address that the node dials.
    pub(crate) fn new(inner: T, gate: Arc<Gate>) -> Self {
        Self {
            inner,
            gate,
            check: Gate::check,
        }
    }

    /// Below a resolver: what names turn out to be.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn resolved(inner: T, gate: Arc<Gate>) -> Self {
        Self {
            inner,
            gate,
            check: Gate::check_resolved,
        }
    }
}

/// A dial that remembers how its address passed.
pub(crate) struct GatedDial<F> {
    dial: F,
    passed: Passed,
}

impl<F, O, E> Future for GatedDial<F>
where
    F: Future<Output = Result<O, E>> + Unpin,
{
    type Output = Result<O, GateError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let _dialing = Dialing::begin(self.passed);
        Pin::new(&mut self.dial)
            .poll(cx)
            .map_err(GateError::Transport)
    }
}

/// Sets [`DIALING`] while it lives.
struct Dialing(Option<Passed>);

impl Dialing {
    fn begin(passed: Passed) -> Self {
        Self(DIALING.replace(Some(passed)))
    }
}

impl Drop for Dialing {
    fn drop(&mut self) {
        DIALING.set(self.0);
    }
}

impl<T> Transport for GatedTransport<T>
where
    T: Transport + Unpin,
    T::Dial: Unpin,
{
    type Output = T::Output;
    type Error = GateError<T::Error>;
    type ListenerUpgrade = futures::future::MapErr<T::ListenerUpgrade, fn(T::Error) -> Self::Error>;
    type Dial = GatedDial<T::Dial>;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Self::Error>> {
        self.inner
            .listen_on(id, address)
            .map_err(|error| error.map(GateError::Transport))
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        let passed = (self.check)(&self.gate, &address)
            .map_err(|denied| TransportError::Other(GateError::Denied(denied)))?;
        let _dialing = Dialing::begin(passed);
        let dial = self
            .inner
            .dial(address, options)
            .map_err(|error| error.map(GateError::Transport))?;
        Ok(GatedDial { dial, passed })
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Pin::new(&mut self.inner).poll(cx).map(|event| {
            event
                .map_upgrade(|upgrade| {
                    futures::TryFutureExt::map_err(
                        upgrade,
                        GateError::Transport as fn(T::Error) -> Self::Error,
                    )
                })
                .map_err(GateError::Transport)
        })
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
