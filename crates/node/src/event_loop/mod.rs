//! The node's one task. It owns the swarm and every table, and never awaits work: a request is
//! answered at once, or its responder is parked with a deadline.

mod backoff;
mod bootstrap;
mod commands;
mod connections;
mod dials;
mod known;
mod lookups;
mod network;
mod provides;
mod relay_dials;
mod relays;
mod subscribers;
mod swarm_events;
mod topics;
mod upgrades;

use std::sync::Arc;

use bootstrap::Bootstrap;
use connections::Connections;
use dials::Dials;
use futures::{FutureExt, StreamExt, pin_mut, select};
use futures_timer::Delay;
use known::Known;
use libp2p::{Multiaddr, Swarm, multiaddr::Protocol, swarm::SwarmEvent};
use lookups::Lookups;
use network::Network;
use provides::Provides;
use relay_dials::RelayDials;
use relays::Relays;
use subscribers::Subscribers;
use topics::Topics;
use upgrades::Upgrades;
use web_time::Instant;

use crate::{
    Config, Error, Handle, Limits, Role, Scope,
    address_policy::Gate,
    behaviour::{Behaviour, BehaviourEvent, OwnMessage},
    handle::{Command, Facts, Reply},
    interests::Interests,
    limits::{DIAL_CONCURRENCY, HOUSEKEEPING, NEGOTIATING_STREAMS, SHUTDOWN_GRACE},
    meter::{Measure, Meter},
    peer_store::PeerStore,
    services::{echo, perf},
    transport::{self, RelayNeeded, RelaysNeeded},
    types::{Event, ListenerEvent},
};

/// The page API's names of what every node runs.
const SERVICES: &[&str] = &["identify", "ping", "kad", "gossipsub", "relay-client"];

/// The node's one task. Nothing happens unless [`run`](Self::run) is polled.
pub struct EventLoop {
    swarm: Swarm<Behaviour>,
    commands: async_channel::Receiver<Command>,
    relays_needed: RelaysNeeded,
    gate: Arc<Gate>,
    role: Role,
    /// What the node's own upkeep may dial.
    scope: Scope,
    limits: Limits,
    meter: Option<Arc<dyn Meter>>,
    /// Are listen addresses announced as external ones?
    announce_listeners: bool,
    connections: Connections,
    peers: PeerStore,
    interests: Interests,
    dials: Dials,
    lookups: Lookups,
    provides: Provides,
    relays: Relays,
    relay_dials: RelayDials,
    upgrades: Upgrades,
    bootstrap: Bootstrap,
    known: Known,
    network: Network,
    events: Subscribers<Event>,
    listeners: Subscribers<ListenerEvent>,
    topics: Topics,
    /// What readers of topics tell by that they have gone.
    handles: async_channel::WeakSender<Command>,
    paused: bool,
}

/// Builds a node, and begins to listen. On a server, within a tokio runtime.
///
/// # Errors
/// `Listen` when a listen address cannot be used, `Config` for other unusable values.
pub fn new(config: Config) -> Result<(Handle, EventLoop), Error> {
    let local_peer_id = config.keypair.public().to_peer_id();
    let scope = Scope {
        private_network: config.allow_private_network,
    };
    let gate = Gate::new(scope);
    let (transport, clients, relays_needed) = transport::build(&config, &gate)?;
    let own_message = OwnMessage::default();
    let behaviour = Behaviour::new(&config, &gate, clients, own_message.clone())?;
    let bootstrap = Bootstrap::new(&config.bootstrap)?;
    let known = Known::new(&config.known_peers, local_peer_id, scope);
    let mut swarm = Swarm::new(
        transport,
        behaviour,
        local_peer_id,
        transport::swarm_config()
            .with_dial_concurrency_factor(DIAL_CONCURRENCY)
            .with_max_negotiating_inbound_streams(NEGOTIATING_STREAMS),
    );
    for address in &config.listen {
        swarm
            .listen_on(address.clone())
            .map_err(|error| Error::Listen {
                address: address.clone(),
                cause: dials::root_cause(&error),
            })?;
    }
    for address in &config.external {
        swarm.add_external_address(address.clone());
    }
    if config.services.echo {
        let streams = swarm.behaviour().streams.accept_own(echo::PROTOCOL)?;
        transport::spawn(echo::serve(streams));
    }
    if config.services.perf {
        let streams = swarm.behaviour().streams.accept_own(perf::PROTOCOL)?;
        transport::spawn(perf::serve(streams));
    }

    let (handle, commands) = Handle::new(Facts {
        local_peer_id,
        transports: transport::SUPPORTED,
        services: SERVICES,
    });
    let event_loop = EventLoop {
        swarm,
        commands,
        relays_needed,
        interests: Interests::new(Arc::clone(&gate)),
        gate,
        role: config.role,
        scope,
        announce_listeners: config.role == Role::Server && config.external.is_empty(),
        connections: Connections::default(),
        peers: PeerStore::new(config.limits.peers),
        dials: Dials::default(),
        lookups: Lookups::default(),
        provides: Provides::new(config.limits.kad_provided_keys),
        relays: Relays::new(config.limits.relay_reservations),
        relay_dials: RelayDials::default(),
        upgrades: Upgrades::default(),
        bootstrap,
        known,
        network: Network::default(),
        events: Subscribers::default(),
        listeners: Subscribers::default(),
        topics: Topics::new(own_message),
        handles: handle.weak(),
        paused: false,
        limits: config.limits,
        meter: config.meter,
    };
    Ok((handle, event_loop))
}

/// What the loop woke up for.
enum Wake {
    Command(Command),
    RelayNeeded(RelayNeeded),
    Swarm(Box<SwarmEvent<BehaviourEvent>>),
    Deadline,
    /// Every handle is gone.
    Abandoned,
}

impl EventLoop {
    /// Runs the node. Ends after [`Handle::shutdown`], or when every handle is dropped.
    pub async fn run(mut self) {
        // Bootstrap peers are due at once.
        self.tick();
        let mut timer_at = self.next_deadline();
        let mut timer = Delay::new(timer_at.saturating_duration_since(Instant::now())).fuse();
        let stopped: Option<Reply<()>> = loop {
            // Whatever woke it up may have made room for one that waits.
            self.begin_dials();
            let wake = {
                let command = self.commands.recv().fuse();
                let relay = self.relays_needed.recv().fuse();
                pin_mut!(command, relay);
                select! {
                    command = command => command.map_or(Wake::Abandoned, Wake::Command),
                    event = self.swarm.select_next_some() => Wake::Swarm(Box::new(event)),
                    // It ends with the transport, which the swarm keeps.
                    needed = relay => needed.map_or(Wake::Abandoned, Wake::RelayNeeded),
                    () = timer => Wake::Deadline,
                }
            };
            let fired = matches!(wake, Wake::Deadline);
            match wake {
                Wake::Command(Command::Shutdown(reply)) => break Some(reply),
                Wake::Command(command) => {
                    let published = topics::is_publish(&command);
                    self.on_command(command);
                    if published {
                        topics::let_connections_send().await;
                    }
                }
                Wake::RelayNeeded(needed) => self.on_relay_needed(needed),
                Wake::Swarm(event) => self.on_swarm_event(*event),
                Wake::Deadline => self.tick(),
                Wake::Abandoned => break None,
            }
            let next = self.next_deadline();
            if fired || next < timer_at {
                timer_at = next;
                timer = Delay::new(next.saturating_duration_since(Instant::now())).fuse();
            }
        };
        self.close_all().await;
        drop(self);
        if let Some(reply) = stopped {
            let _ = reply.send(Ok(()));
        }
    }

    /// Looks at everything that has a deadline.
    fn tick(&mut self) {
        let now = Instant::now();
        self.dials.expire(now);
        self.tick_lookups(now);
        self.tick_provides(now);
        self.tick_connections(now);
        self.tick_relays(now);
        self.tick_upgrades(now);
        self.tick_bootstrap(now);
        self.tick_known(now);
        self.tick_network(now);
        self.tick_topics(now);
        self.peers.trim(|peer| self.connections.is_connected(peer));
    }

    fn next_deadline(&self) -> Instant {
        let now = Instant::now();
        let housekeeping = now.checked_add(HOUSEKEEPING).unwrap_or(now);
        [
            self.dials.next_deadline(),
            self.lookups.next_deadline(),
            self.connections.next_deadline(),
            self.relays.next_deadline(),
            self.upgrades
                .next_deadline()
                .filter(|_| !self.network.is_away()),
            self.bootstrap.next_deadline(),
            self.known.next_deadline(),
            self.network.next_deadline(),
            self.topics.next_deadline(),
        ]
        .into_iter()
        .flatten()
        .fold(housekeeping, Instant::min)
    }

    fn record(&self, measure: Measure) {
        if let Some(meter) = &self.meter {
            meter.record(measure);
        }
    }

    /// Says goodbye to everybody, within a grace period.
    async fn close_all(&mut self) {
        self.dials.fail_all(&Error::Stopped);
        self.fail_lookups(&Error::Stopped);
        self.disconnect_all();
        let deadline = Delay::new(SHUTDOWN_GRACE).fuse();
        pin_mut!(deadline);
        while !self.connections.is_empty() {
            select! {
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                () = deadline => break,
            }
        }
    }

    fn disconnect_all(&mut self) {
        for peer in self.connections.peers() {
            // An error only says that the peer has gone by itself.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
    }

    /// An address as others need it, with the own peer id at its end.
    fn full_address(&self, address: &Multiaddr) -> Multiaddr {
        let own = Protocol::P2p(*self.swarm.local_peer_id());
        if address.iter().last() == Some(own.clone()) {
            address.clone()
        } else {
            address.clone().with(own)
        }
    }
}
