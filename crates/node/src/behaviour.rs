//! The protocols that the node speaks, as one behaviour.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use libp2p::{
    PeerId, connection_limits,
    connection_limits::ConnectionLimits,
    gossipsub, identify, ping, relay,
    swarm::{NetworkBehaviour, behaviour::toggle::Toggle},
};

use mooring_webrtc::signalled;

use crate::{
    Config, Error,
    address_policy::Gate,
    dht,
    limits::{
        CONNECTION_MARGIN, GOSSIP_IDS, GOSSIP_MESSAGE, GOSSIP_QUEUE, GOSSIP_TOPICS_PER_PEER,
        PING_INTERVAL, PING_TIMEOUT,
    },
    pong,
    relay_server::{self, Unanswered},
    streams,
    transport::Clients,
};

/// Gossipsub with a bound on what remotes may subscribe to.
pub(crate) type Gossipsub = gossipsub::Behaviour<
    gossipsub::IdentityTransform,
    gossipsub::MaxCountSubscriptionFilter<gossipsub::AllowAllSubscriptionFilter>,
>;

/// The node's protocols.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    // First: what it denies, the others never hear of.
    pub(crate) connection_limits: connection_limits::Behaviour,
    pub(crate) streams: streams::Behaviour,
    pub(crate) identify: identify::Behaviour,
    pub(crate) ping: pong::Behaviour,
    pub(crate) kad: dht::Behaviour,
    pub(crate) gossipsub: Gossipsub,
    pub(crate) relay_client: relay::client::Behaviour,
    pub(crate) webrtc: signalled::Behaviour,
    pub(crate) relay_server: Toggle<relay_server::Behaviour>,
}

impl Behaviour {
    pub(crate) fn new(
        config: &Config,
        gate: &Arc<Gate>,
        clients: Clients,
        own_message: OwnMessage,
    ) -> Result<Self, Error> {
        let local = config.keypair.public().to_peer_id();
        Ok(Self {
            connection_limits: connection_limits(&config.limits),
            streams: streams::Behaviour::new(&config.limits, &config.kad_protocol),
            identify: identify::Behaviour::new(
                // No address cache: the peer store is the one place that remembers addresses.
                identify::Config::new("ipfs/0.1.0".into(), config.keypair.public())
                    .with_agent_version(config.agent_version.clone())
                    .with_push_listen_addr_updates(true)
                    .with_cache_size(0),
            ),
            ping: pong::Behaviour::new(
                ping::Config::new()
                    .with_interval(PING_INTERVAL)
                    .with_timeout(PING_TIMEOUT),
            ),
            kad: dht::Behaviour::new(config, Arc::clone(gate))?,
            gossipsub: gossipsub(config, own_message)?,
            relay_client: clients.relay,
            webrtc: clients.webrtc,
            relay_server: Toggle::from(relay_server(config, local, clients.unanswered)),
        })
    }
}

fn connection_limits(limits: &crate::Limits) -> connection_limits::Behaviour {
    // The soft bound is kept by closing the least wanted connection; this is for floods.
    let hard = limits.connections.saturating_add(CONNECTION_MARGIN);
    connection_limits::Behaviour::new(
        ConnectionLimits::default()
            .with_max_established(Some(hard))
            .with_max_established_per_peer(Some(limits.connections_per_peer))
            .with_max_pending_incoming(Some(limits.pending_incoming))
            .with_max_pending_outgoing(Some(limits.pending_outgoing)),
    )
}

/// The number of the message that this node made last. Gossipsub tells it only of those that it sent to somebody.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnMessage(Arc<AtomicU64>);

impl OwnMessage {
    pub(crate) fn number(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Author and number: what the specification names (libp2p/specs, pubsub, "Message Identification") and other implementations
/// use, so that nodes understand which messages the others say that they have. rust-libp2p's own is text.
pub(crate) fn message_id(author: Option<&PeerId>, number: Option<u64>) -> gossipsub::MessageId {
    let mut id = author.map(|author| author.to_bytes()).unwrap_or_default();
    id.extend(number.into_iter().flat_map(u64::to_be_bytes));
    gossipsub::MessageId(id)
}

fn gossipsub(config: &Config, own_message: OwnMessage) -> Result<Gossipsub, Error> {
    let local = config.keypair.public().to_peer_id();
    let options = gossipsub::ConfigBuilder::default()
        .validation_mode(gossipsub::ValidationMode::Strict)
        .max_transmit_size(GOSSIP_MESSAGE)
        .connection_handler_queue_len(GOSSIP_QUEUE)
        .max_control_messages_sent(GOSSIP_IDS)
        .message_id_fn(move |message| {
            if message.source == Some(local)
                && let Some(number) = message.sequence_number
            {
                own_message.0.store(number, Ordering::Relaxed);
            }
            message_id(message.source.as_ref(), message.sequence_number)
        })
        .build()
        .map_err(|error| Error::Config(error.to_string()))?;
    let filter = gossipsub::MaxCountSubscriptionFilter {
        filter: gossipsub::AllowAllSubscriptionFilter {},
        max_subscribed_topics: GOSSIP_TOPICS_PER_PEER,
        max_subscriptions_per_request: GOSSIP_TOPICS_PER_PEER,
    };
    Gossipsub::new_with_subscription_filter(
        gossipsub::MessageAuthenticity::Signed(config.keypair.clone()),
        options,
        filter,
    )
    .map_err(|error| Error::Config(error.into()))
}

fn relay_server(
    config: &Config,
    local: PeerId,
    unanswered: Arc<Unanswered>,
) -> Option<relay_server::Behaviour> {
    config.relays().then(|| {
        let limits = config.limits.relay_server;
        relay_server::Behaviour::new(local, limits, config.meter.clone(), unanswered)
    })
}
