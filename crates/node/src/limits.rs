//! Every bound of the node, with its reason. Those an operator may want to change are fields of
//! [`Limits`], the rest are constants.

use std::time::Duration;

/// The bounds that differ between a browser and a server, or that a test wants to reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections that stay open. One more, and the least wanted one is closed.
    pub connections: u32,
    /// Connections to one peer: one of each transport and one relayed, in both directions.
    pub connections_per_peer: u32,
    /// WebRTC connections taken from one IPv4 address or IPv6 /64, so that one host cannot take all
    /// places. Loopback is exempt.
    pub webrtc_connections_per_host: usize,
    /// Handshakes of others under way at once.
    pub pending_incoming: u32,
    /// Connections being dialed at once, whatever for. A guard, which must never be reached: it refuses whoever comes last. What there
    /// can be is bounded where it begins, by [`dialing`](Self::dialing) and [`lookups`](Self::lookups).
    pub pending_outgoing: u32,
    /// Addresses being tried for requests to dial, in as far as the swarm has not said that it is done with them.
    pub dialing: Share,
    /// Requests to dial that wait until there is room in [`dialing`](Self::dialing).
    pub waiting_dials: Share,
    /// Streams of pages and services open at once, all peers together.
    pub streams: usize,
    /// Streams that one peer may have opened towards us.
    pub inbound_streams_per_peer: usize,
    /// Streams that we may have opened towards one peer.
    pub outbound_streams_per_peer: usize,
    /// Stream openings being negotiated on one connection at once.
    pub pending_streams_per_connection: usize,
    /// Peers that the peer store remembers.
    pub peers: usize,
    /// Relays to hold a reservation on.
    pub relay_reservations: usize,
    /// Records in the DHT store.
    pub kad_records: usize,
    /// Bytes of one DHT record.
    pub kad_record_bytes: usize,
    /// Keys that this node provides, and as many that it keeps providers of for others.
    pub kad_provided_keys: usize,
    /// Lookups in the DHT under way at once; further ones wait for their turn.
    pub lookups: usize,
    /// As a relay for others.
    pub relay_server: RelayLimits,
}

impl Limits {
    /// For a browser: a budget beside the tabs, and Chromium refuses the 501st peer connection.
    pub fn client() -> Self {
        Self {
            connections: 100,
            connections_per_peer: 4,
            webrtc_connections_per_host: 32,
            pending_incoming: 16,
            pending_outgoing: 2048,
            // Each address may cost an `RTCPeerConnection`, of which there are 450 (`mooring_webrtc::limits`): with the open connections this is
            // half of them. Peers that do not answer take 10 to 20 s; a site that only dials such tries two or three addresses a second.
            dialing: Share {
                each: 32,
                sites: 128,
            },
            // As many requests as a site may have in flight by the contract; with 32 addresses of full length each, 16 MiB in all.
            waiting_dials: Share {
                each: 64,
                sites: 256,
            },
            // A site may count on 1,000 open streams; leave room for several.
            streams: 8192,
            inbound_streams_per_peer: 1024,
            outbound_streams_per_peer: 2048,
            pending_streams_per_connection: 256,
            peers: 512,
            relay_reservations: 3,
            kad_records: 64,
            kad_record_bytes: 8 * 1024,
            kad_provided_keys: 256,
            // Each dials three peers at a time.
            lookups: 5,
            relay_server: RelayLimits::default(),
        }
    }

    /// For a server of its own: some thousand browsers.
    pub fn server() -> Self {
        Self {
            connections: 4096,
            connections_per_peer: 8,
            webrtc_connections_per_host: 256,
            pending_incoming: 256,
            pending_outgoing: 4096,
            dialing: Share {
                each: 128,
                sites: 512,
            },
            waiting_dials: Share {
                each: 256,
                sites: 1024,
            },
            streams: 32_768,
            inbound_streams_per_peer: 1024,
            outbound_streams_per_peer: 2048,
            pending_streams_per_connection: 256,
            peers: 4096,
            relay_reservations: 3,
            kad_records: 4096,
            kad_record_bytes: 16 * 1024,
            kad_provided_keys: 4096,
            lookups: 16,
            relay_server: RelayLimits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::client()
    }
}

/// How much of something one owner may take, and how much all sites together. The user and the node itself have what one has, and not out
/// of what is there for sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// For each owner.
    pub each: usize,
    /// For all sites together. None takes more than it leaves, so that there is some for a site that has none yet.
    pub sites: usize,
}

/// What a relay gives to others. The defaults suit signalling: two browsers meet, and go on without the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayLimits {
    /// Reservations held at once; one that is renewed needs no new place.
    pub reservations: usize,
    /// Of these, of one peer: each of its connections may have one.
    pub reservations_per_peer: usize,
    /// Of these, from one IPv4 address or IPv6 /64. Loopback is exempt.
    pub reservations_per_ip: usize,
    /// How long a reservation holds. Clients renew it after three quarters of that.
    pub reservation_duration: Duration,
    /// Requests for a reservation that one IPv4 address or IPv6 /64 may make in an hour, all at once if it likes. Loopback is
    /// exempt.
    pub reservations_per_hour: u32,
    /// Circuits open, or about to open, at once.
    pub circuits: usize,
    /// Of these, with one peer, when it asks for another one.
    pub circuits_per_peer: usize,
    /// Bytes that one circuit carries, both ways together; then it is cut.
    pub circuit_bytes: u64,
    /// How long one circuit lasts; then it is cut.
    pub circuit_duration: Duration,
    /// How long a request for a circuit waits for its answer; then its connection is closed.
    pub circuit_answer: Duration,
    /// Circuits that one IPv4 address or IPv6 /64 may ask for in an hour, all at once if it likes. Loopback is exempt.
    pub circuits_per_hour: u32,
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self {
            // A reservation is a table entry and an open connection, of which a server has 4,096.
            reservations: 1024,
            // A browser has one; another may linger after its network changed.
            reservations_per_peer: 4,
            // An office or a school behind one address, while it takes 16 of them to fill the relay.
            reservations_per_ip: 64,
            // What go-libp2p and rust-libp2p give.
            reservation_duration: Duration::from_secs(60 * 60),
            // Each of the 64 renews once an hour, and comes back twice when the relay or the network was away.
            reservations_per_hour: 240,
            // Signalling is over in seconds: this is dozens of pairs a second.
            circuits: 256,
            // One for each peer that a browser meets at the same time.
            circuits_per_peer: 16,
            // Meeting takes 10 KB (docs/adr/0008). The rest is for what pages say until the direct path is proven; go-libp2p gives
            // 128 KiB each way.
            circuit_bytes: 1024 * 1024,
            // Signalling takes 25 s at most, and some more attempts fit in; as go-libp2p's and rust-libp2p's.
            circuit_duration: Duration::from_secs(2 * 60),
            // libp2p-relay gives the other end a minute, and some seconds before that to take the stream.
            circuit_answer: Duration::from_secs(2 * 60),
            // Ten a minute for whoever shares the address.
            circuits_per_hour: 600,
        }
    }
}

/// Requests on their way to the event loop. It never awaits work, so this drains at once; more
/// waiting requests than this wait in their own futures, within their own time limits.
pub(crate) const COMMANDS: usize = 256;

/// Time limit of calls that only ask the event loop for what it knows: it answers in
/// microseconds, unless the machine stands still.
pub(crate) const QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// Hint given with a bound that frees itself as work ends: soon.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Inbound streams that wait for their acceptor. It only has to look, but a peer may open all it may
/// at once ([`Limits::inbound_streams_per_peer`]), faster than the acceptor's task is woken; more
/// would pile up behind an acceptor that stands still.
pub(crate) const ACCEPT_QUEUE: usize = 1024;

/// Protocols accepted at once, of all pages and services.
pub(crate) const ACCEPTED_PROTOCOLS: usize = 128;

/// Bytes of their ids together: identify tells all of them to every peer, in one message that
/// other implementations read 4 KiB of, with the addresses and the node's own protocols.
pub(crate) const ACCEPTED_PROTOCOL_BYTES: usize = 2048;

/// Requests to open a stream on their way to the handlers, which take them at once unless their
/// connection is stuck.
pub(crate) const STREAM_REQUESTS: usize = 1024;

/// Longest address taken as text. The longest in use, a circuit with several certhashes and a
/// domain name of full length, stays below half of it.
pub(crate) const ADDRESS_TEXT: usize = 2048;

/// How much of an address an error repeats.
pub(crate) const ADDRESS_IN_ERROR: usize = 256;

/// Time limit of the handshakes on top of a transport's own connection.
pub(crate) const UPGRADE_TIMEOUT: Duration = Duration::from_secs(20);

/// Streams on one yamux connection, both sides together: a site's 1,000 and the node's own. Each
/// may hold 256 KiB that nobody has read, if all together hold no more than [`YAMUX_UNREAD`].
pub(crate) const YAMUX_STREAMS: usize = 1280;
/// Bytes that a yamux connection holds for readers, with the cost of their frames; then nothing
/// more is taken from it until they have read. 96 streams can stand still with full windows.
pub(crate) const YAMUX_UNREAD: usize = 24 * 1024 * 1024;
/// It goes on when so much is left.
pub(crate) const YAMUX_RESUME: usize = 20 * 1024 * 1024;
/// What a frame costs besides its bytes: a vector and its allocation.
pub(crate) const YAMUX_FRAME: usize = 64;
/// Inbound yamux streams that the swarm has not taken yet: what other implementations open before
/// one of them is acknowledged.
pub(crate) const YAMUX_INBOUND: usize = 256;

/// Over [`Limits::connections`] by so many, new ones are denied rather than old ones closed.
pub(crate) const CONNECTION_MARGIN: u32 = 32;

/// Pings at rest. A dead connection is noticed after three.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(15);
/// No answer within this is a failed ping.
pub(crate) const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Ping streams of a remote, on one connection; a further one replaces the oldest (libp2p/specs `ping/ping.md`: at most two).
pub(crate) const PING_STREAMS: usize = 2;
/// Attempts at a requested ping. Common listeners answer on one ping stream a connection and reset
/// it for a newer one, which the periodic ping may open at the same moment.
pub(crate) const PING_ATTEMPTS: u32 = 3;
/// Failed pings in a row after which a connection counts as dead.
pub(crate) const PING_FAILURES: u32 = 3;

/// A DHT query with what it has found by then.
pub(crate) const KAD_QUERY_TIMEOUT: Duration = Duration::from_secs(60);
/// One DHT message: 20 peers with their addresses and a record.
pub(crate) const KAD_PACKET: usize = 64 * 1024;
/// How often the routing table is refreshed.
pub(crate) const KAD_BOOTSTRAP_INTERVAL: Duration = Duration::from_secs(10 * 60);
/// Addresses of one peer in the routing table, in an answer and of a provider; others would only cost dials.
pub(crate) const KAD_ADDRESSES: usize = 8;
/// Bytes of a key: a CID with a 64-byte digest stays far below, in any base.
pub(crate) const KAD_KEY: usize = 512;
/// How long records and providers are kept, and asked to be kept (libp2p/specs, kad-dht).
pub(crate) const KAD_RECORD_TTL: Duration = Duration::from_secs(48 * 60 * 60);
/// A full store is looked through for what has expired at most this often.
pub(crate) const KAD_SWEEP: Duration = Duration::from_secs(60);
/// Peers taken from one answer: what the specification says there are.
pub(crate) const ANSWER_PEERS: usize = 20;
/// Providers that one lookup gives back at most; the page API's own.
pub(crate) const PROVIDERS: usize = 1000;
/// Requests that one lookup makes: an honest one in the largest DHT there is makes some dozens.
pub(crate) const LOOKUP_REQUESTS: u32 = 256;
/// Bytes that one lookup keeps of what it is told of peers to ask; some 700 of them.
pub(crate) const LOOKUP_BYTES: usize = 256 * 1024;
/// An address that led nowhere is left out of lookups for so long: the dead are named for a long time, and each costs 10 s to wait for.
pub(crate) const LOOKUP_DEAD: Duration = Duration::from_secs(2 * 60);
/// Such addresses; over that, those that are out next are forgotten.
pub(crate) const LOOKUP_DEAD_ADDRESSES: usize = 512;
/// Lookups that wait for their turn, of all sites together; each site may have 64 requests in flight.
pub(crate) const LOOKUPS_WAITING: usize = 256;
/// How long a lookup waits for connections that are new, where nobody is known who could be asked: identify takes one round trip.
pub(crate) const LOOKUP_PATIENCE: Duration = Duration::from_secs(3);
/// So much before its caller gives up, a lookup answers with what it has.
pub(crate) const LOOKUP_MARGIN: Duration = Duration::from_millis(200);
/// How long the answer to a put waits for the other peers once one has the record; they get it all the same.
pub(crate) const PUT_PATIENCE: Duration = Duration::from_secs(5);
/// Announcements of a provider are not answered: they get so long to arrive, so that who looks next finds it.
pub(crate) const PROVIDE_SETTLE: Duration = Duration::from_millis(300);
/// Keys that one site provides at once.
pub const PROVIDED_PER_OWNER: usize = 64;
/// How often a provided key is announced anew, well within [`KAD_RECORD_TTL`]; others drop addresses after a day.
pub(crate) const PROVIDE_INTERVAL: Duration = Duration::from_secs(12 * 60 * 60);
/// When it is announced again after nobody took it.
pub(crate) const PROVIDE_RETRY: Duration = Duration::from_secs(5 * 60);
/// When it is announced again after this node's addresses have changed: relays come and go together.
pub(crate) const PROVIDE_MOVED: Duration = Duration::from_secs(30);
/// Keys announced anew at the same time.
pub(crate) const PROVIDES_AT_ONCE: usize = 2;

/// One published message with its envelope; gossipsub's usual bound.
pub(crate) const GOSSIP_MESSAGE: usize = 64 * 1024;
/// Messages queued towards one peer: what a site may publish at once, however slow the way to the peer is at that moment. 16 MiB at most
/// (upstream's 5,000 would be 320 MiB).
pub(crate) const GOSSIP_QUEUE: usize = 256;
/// Topics that one peer may subscribe to.
pub(crate) const GOSSIP_TOPICS_PER_PEER: usize = 256;
/// Bytes of one published message. With its topic, author, number and signature it has to fit into [`GOSSIP_MESSAGE`]: a longer one would end
/// the stream that it is sent on, and with the fifth stream gossipsub gives a connection up.
pub const PUBLISH_BYTES: usize = GOSSIP_MESSAGE - 2 * TOPIC_BYTES;
/// Bytes of a topic, which every message of it repeats.
pub(crate) const TOPIC_BYTES: usize = 512;
/// Messages of whose ids a peer is told at once, and asked for in one second: so many ids stay below the 16 KiB that peers read at once.
pub(crate) const GOSSIP_IDS: usize = 256;
/// Topics that this node is in at once: what it lets a peer subscribe to, and so what others may let it.
pub(crate) const TOPICS: usize = GOSSIP_TOPICS_PER_PEER;
/// How long a node stays in a topic that nobody reads: a page that is loaded anew is back by then, and peers take nobody into their mesh for
/// 10 s after it left.
pub(crate) const TOPIC_LINGER: Duration = Duration::from_secs(10);
/// Readers of one topic: as many sites.
pub(crate) const TOPIC_READERS: usize = 256;
/// Messages that wait for one reader before the oldest are dropped: more than a busy topic brings while a reader's task waits for its turn.
pub(crate) const TOPIC_QUEUE: usize = 256;
/// Bytes of these. Readers of the same topic share them.
pub(crate) const TOPIC_QUEUE_BYTES: usize = 1024 * 1024;

/// As a relay: requests for a reservation that one peer may make in an hour. Peer ids cost nothing, so this is for clients that
/// ask over and over, not for attackers.
pub(crate) const RELAY_RESERVATIONS_PER_PEER_AND_HOUR: u32 = 60;
/// As a relay: circuits that one peer may ask for in an hour; also only for clients gone wild.
pub(crate) const RELAY_CIRCUITS_PER_PEER_AND_HOUR: u32 = 240;
/// As a relay: hosts, and peers, whose rate is remembered, twice this. Who can come from more of them is not stopped by rates.
pub(crate) const RELAY_RATES: usize = 16_384;
/// Bytes of a stream's negotiation that are looked at to see whether it is a circuit: the ids of a few protocols.
pub(crate) const HOP_NEGOTIATION: usize = 1024;
/// Longest message of circuit relay v2 (`libp2p-relay`'s own bound).
pub(crate) const HOP_MESSAGE: usize = 4096;

/// Addresses kept of one peer: a few transports on a few networks.
pub(crate) const PEER_ADDRESSES: usize = 16;
/// Protocols kept of one peer.
pub(crate) const PEER_PROTOCOLS: usize = 128;
/// Bytes of one protocol id; longer ones are left out.
pub(crate) const PROTOCOL_BYTES: usize = 140;
/// Characters of a peer's agent version; the rest is cut.
pub(crate) const AGENT_CHARS: usize = 128;
/// Bytes of one address of a peer, in binary.
pub(crate) const ADDRESS_BYTES: usize = 512;

/// Peers remembered for the next start: enough of a DHT that some are there weeks later.
pub(crate) const KNOWN_PEERS: usize = 128;
/// Addresses remembered of each: the transports that it was reached by.
pub(crate) const KNOWN_ADDRESSES: usize = 4;
/// Bytes of them all as a text; with usual addresses it is a quarter of that.
pub(crate) const KNOWN_BYTES: usize = 128 * 1024;
/// Attempts in a row that lead nowhere, while others are connected, after which a peer is not remembered any more.
pub(crate) const KNOWN_FAILURES: u8 = 3;
/// Of those remembered, as many may be from one network (IPv4 /24, IPv6 /48) or of one name: whoever has one of these cannot be all
/// that a node remembers. Where addresses are not global, there is no such bound.
pub(crate) const KNOWN_PER_NETWORK: usize = 8;
/// Remembered peers that a lookup may begin with; when it finds nobody, the next one has as many more.
pub(crate) const KNOWN_SEEDS: usize = 32;
/// Peers of the DHT that a node is connected to soon after its start, if it remembers any.
pub(crate) const KNOWN_CONNECTED: usize = 2;
/// Attempts to get there, for each start and each return of the network.
pub(crate) const KNOWN_ATTEMPTS: u32 = 6;
/// Pause before the first of them, when what sites want has had its turn; doubles with each, and each is between half and one and
/// a half of that, so that a thousand browsers that come back together do not ask the same peers at once …
pub(crate) const KNOWN_BACKOFF: Duration = Duration::from_secs(2);
/// … up to this.
pub(crate) const KNOWN_BACKOFF_MAX: Duration = Duration::from_secs(2 * 60);

/// Sites that may want the same peer; each is a name in a list that the user sees.
pub(crate) const OWNERS_PER_PEER: usize = 64;

/// What a service reads at a time.
pub(crate) const COPY_BUFFER: usize = 32 * 1024;
/// Streams that a service works on at once, each with a buffer of [`COPY_BUFFER`]. A peer may have no more than it leaves
/// for others.
pub(crate) const SERVICE_STREAMS: usize = 2048;
/// A service's stream on which nothing moves for so long is reset: whoever tries a server out is not away for minutes.
pub(crate) const SERVICE_IDLE: Duration = Duration::from_secs(5 * 60);
/// One throughput test.
pub(crate) const PERF_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// Addresses of one dial: as many as the page API takes.
pub(crate) const DIAL_ADDRESSES: usize = 32;
/// Of one dial, so many addresses are tried at the same time.
pub(crate) const DIAL_CONCURRENCY: std::num::NonZeroU8 = match std::num::NonZeroU8::new(8) {
    Some(count) => count,
    None => std::num::NonZeroU8::MIN,
};
/// Requests that may wait for one dial.
pub(crate) const DIAL_WAITERS: usize = 256;
/// Reasons told of one failed dial: one an address.
pub(crate) const DIAL_CAUSES: usize = DIAL_ADDRESSES;
/// Dials through relays whose wish for the relay the event loop has not heard yet; more wait to be heard.
pub(crate) const RELAYS_NEEDED: usize = 16;
/// Characters of one reason.
pub(crate) const CAUSE_CHARS: usize = 160;

/// A connection that nobody wants closes when no stream has used it for so long: a page that
/// closes one stream and opens the next keeps its connection.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(1);
/// Connections that the node's own upkeep opened (the DHT) may be of use again for so long.
pub(crate) const UPKEEP_KEEP: Duration = Duration::from_secs(60);

/// Readers of events at once.
pub(crate) const SUBSCRIBERS: usize = 64;
/// Events that wait for a slow reader before it loses its stream.
pub(crate) const EVENTS: usize = 1024;

/// Pause before a relay that refused, or dropped the reservation, is asked again; doubles with each time …
pub(crate) const RELAY_BACKOFF: Duration = Duration::from_secs(5);
/// … up to this: a relay that was full has room again some time.
pub(crate) const RELAY_BACKOFF_MAX: Duration = Duration::from_secs(10 * 60);
/// A reservation that lasted so long was a good one, and the pauses begin anew after it.
pub(crate) const RELAY_STABLE: Duration = Duration::from_secs(60);
/// A renewal sooner than this after the last one is early: reservations last an hour, and a relay whose own
/// say seconds costs more than it is of use.
pub(crate) const RELAY_RENEWAL_MIN: Duration = Duration::from_secs(5);
/// Early renewals in a row after which a relay is left: libp2p-relay renews whenever the relay lets a reservation end,
/// without a pause if that is at once.
pub(crate) const RELAY_EARLY_RENEWALS: u32 = 3;
/// Relays that did so and are not asked again; a remote can make up new ids, so only the last ones.
pub(crate) const RELAYS_BARRED: usize = 64;

/// Peers to dial again once the network is back; more than a browser keeps connected for sites at once is rare.
pub(crate) const LOST_PEERS: usize = 64;
/// After the network is back, what breaks within this time broke because of it: a connection that answers no
/// pings ends a little before.
pub(crate) const NETWORK_SETTLE: Duration = Duration::from_secs(120);
/// Attempts to reach a lost peer; addresses and names often come some seconds after the network.
pub(crate) const REDIAL_ATTEMPTS: u32 = 6;
/// Pause before the second attempt; doubles with each, so that they take about a minute …
pub(crate) const REDIAL_BACKOFF: Duration = Duration::from_secs(2);
/// … up to this.
pub(crate) const REDIAL_BACKOFF_MAX: Duration = Duration::from_secs(10 * 60);
/// Attempts to reach a relay that went away, which take three quarters of an hour: it may be a machine that is being repaired, and without it
/// nobody finds this node.
pub(crate) const RELAY_REDIAL_ATTEMPTS: u32 = 12;
/// Time limit of one attempt.
pub(crate) const REDIAL_TIMEOUT: Duration = Duration::from_secs(30);

/// Attempts at a direct connection to a peer that is reached over a circuit, or was reached directly before.
pub(crate) const UPGRADE_ATTEMPTS: u32 = 6;
/// Pause before the second attempt; doubles with each, so that the last comes after a good minute.
pub(crate) const UPGRADE_BACKOFF: Duration = Duration::from_secs(2);
/// A direct connection that lasted this long was none of the attempts that came to nothing: all of those are over by then.
pub(crate) const UPGRADE_STABLE: Duration = Duration::from_secs(60);
/// How long a `/webrtc` attempt may take after a candidate was judged: 10 s for the description, 15 s for the path, and what opening
/// the connection takes (`mooring_webrtc::limits`), twice.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(60);
/// Peers of which it is known that private candidates were open to them: more than offers and dials of [`ATTEMPT`] together.
pub(crate) const MET_PRIVATELY: usize = 512;
/// Peers that upgrades are thought of for: more than there are connections.
pub(crate) const UPGRADES: usize = 1024;
/// How long a circuit without streams is kept beside the direct connection that replaced it: signalling ends on it
/// (`mooring_webrtc::limits::SIGNALLING_GOODBYE`), and the other side may still open a stream there.
pub(crate) const CIRCUIT_KEEP: Duration = Duration::from_secs(6);

/// Two `/webrtc` connections that both sides dialed count as one attempt that crossed when they opened within so many
/// milliseconds; one that is much older may be dead.
pub(crate) const CROSSED_MS: u64 = 15_000;

/// Pause before a bootstrap peer is dialed again; doubles with each failure …
pub(crate) const BOOTSTRAP_BACKOFF: Duration = Duration::from_secs(2);
/// … up to this, where it stays: a node without its bootstrap peers has nothing better to do.
pub(crate) const BOOTSTRAP_BACKOFF_MAX: Duration = Duration::from_secs(5 * 60);
/// Time limit of one bootstrap dial.
pub(crate) const BOOTSTRAP_TIMEOUT: Duration = Duration::from_secs(30);
/// Bootstrap peers kept connected.
pub(crate) const BOOTSTRAP_PEERS: usize = 64;

/// The event loop looks at its tables at least this often.
pub(crate) const HOUSEKEEPING: Duration = Duration::from_secs(5);
/// How long a shutdown waits for connections to close in good order.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);
/// External addresses announced.
pub(crate) const EXTERNAL_ADDRESSES: usize = 32;

/// Longest time limit a request can have; the page API's own.
pub(crate) const MAX_TIMEOUT: Duration = Duration::from_secs(300);

/// Inbound streams of one connection that have not agreed on a protocol yet.
pub(crate) const NEGOTIATING_STREAMS: usize = 256;
