//! Every bound of this crate, with its reason. Sizes are bytes unless a name says otherwise.

use std::time::Duration;

// --- Frames -----------------------------------------------------------------------------------

/// Largest frame sent, length prefix included (specs/webrtc: "encoded messages including their
/// length prefix MUST NOT exceed 16kiB"). The synthetic SDP answer says the same to the browser,
/// which then throws on a larger `send`.
pub const MAX_SENT_FRAME: usize = 16 * 1024;

/// Room a data frame needs beside its payload: 3 bytes length prefix, 1 tag and 3 length bytes for
/// `message`, 5 for the announcement that the first one carries ([`crate::core::frame::WINDOW_FIELD`]).
pub const FRAME_OVERHEAD: usize = 12;

/// Largest payload of one sent frame.
pub const MAX_SENT_PAYLOAD: usize = MAX_SENT_FRAME - FRAME_OVERHEAD;

/// Largest frame sent as one channel message; of a larger one the length prefix is a message of its
/// own, as go-libp2p and js-libp2p send it. go-libp2p (0.51) reads prefixes through a buffer of this
/// size, and its stack fails the stream ("short buffer") when a message does not fit into what is
/// read with; a body is then read with a buffer of its own size.
pub const MAX_JOINED_FRAME: usize = 4096;

/// Largest frame taken from a remote, length prefix excluded. The spec's bound is 16 KiB; go-libp2p
/// already takes 257 KiB in preparation for larger messages, so a remote may one day send them. An
/// unfinished frame counts towards the receive bounds below.
pub const MAX_RECEIVED_FRAME: usize = 257 * 1024;

// --- Streams ----------------------------------------------------------------------------------

/// Unread data held per stream. A browser cannot pause a data channel: whatever a remote sends
/// arrives, and the only answer to a full buffer is to reset the stream. So it is generous: about
/// half a second at the rates measured (20–35 MB/s), for a reader that is briefly busy. A remote that knows windows
/// stops far below it ([`MAX_WINDOW`]).
pub const MAX_RECEIVE_BUFFER_STREAM: usize = 16 * 1024 * 1024;

/// What a remote may have sent beyond what was read, once a stream's reader has fallen behind; the native backend has
/// its own. It is about what SCTP itself lets a remote have under way (Chromium: 5 MiB), so a reader that catches up again is
/// not held back by it on any path. A remote is told when a quarter of it lies unread. By then as much as
/// SCTP's window can be on its way besides what the remote's own queue holds: with the two, and once more SCTP's window should
/// the telling be lost and sent again, 11.3 MiB lie unread at worst.
pub const MAX_WINDOW: u64 = 4 * 1024 * 1024;

/// The least window, however little room the connection has left: two frames, so that the remote is told of progress after
/// half a frame at the soonest.
pub const MIN_WINDOW: u64 = 32 * 1024;

/// A window is at most one part in so many of the room that the connection has left, so that many slow readers share it:
/// with [`MIN_WINDOW`], 90 that do not read at all.
pub const WINDOW_PART: u64 = 16;

/// Bytes of windows that wait to be sent beside a full queue. Beyond, they wait for the queue, and the last one says all: a
/// remote that sends and acknowledges nothing has no more than this queued.
pub const WINDOW_QUEUE: usize = 1024;

/// Unread data held for all streams of a connection, so that a remote cannot multiply the bound
/// above by opening more streams.
pub const MAX_RECEIVE_BUFFER_CONNECTION: usize = 64 * 1024 * 1024;

/// Received payloads below this are joined, so that a remote sending single bytes does not cost an
/// allocation each; larger ones are kept as they came, which saves copying them.
pub const JOINED_PAYLOAD: usize = 1024;

/// Joined payloads are kept in chunks of up to this size.
pub const RECEIVE_CHUNK: usize = 16 * 1024;

/// A writer waits at the latest once this much is queued in the channel. Measured on data channels: 256 KiB is
/// as fast as 1 MiB and steadier; 2 MiB was four times slower when the CPU is short.
pub const SEND_HIGH_WATER: usize = 256 * 1024;

/// What is queued in a browser's channel at first, and always where that lasts long enough: four frames. On a busy
/// machine 48 and 96 KiB were as fast as 256 KiB, and a ping beside them took less than half of the time
/// (docs/benchmarks.md).
pub const SEND_HIGH_WATER_LEAST: usize = 64 * 1024;

/// Where half of the queue is sent in less than this, the queue is doubled: a page may need as long until it can write
/// again.
pub const QUEUE_LASTS: Duration = Duration::from_millis(1);

/// Where half of the queue is sent in more than this, the queue is halved.
pub const QUEUE_LASTS_LONG: Duration = Duration::from_millis(4);

/// How often all ready tasks are let run before a turn has ended, and what was written in it is sent: a task that reads the end of
/// a stream lets another go on, which has the swarm open the next stream, each in the next round.
pub const TURN: usize = 8;

/// A writer with more than this to write waits rather than fill the last few bytes of the queue
/// with tiny frames.
pub const MIN_WRITE: usize = 1024;

/// How long a channel may take to open. In-band channels open as soon as the SCTP association
/// stands; one that does not is on a dead connection.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long FIN_ACK is awaited once our FIN is out and the queue before it makes no more progress.
/// go-libp2p and js-libp2p wait 10 s.
pub const FIN_ACK_TIMEOUT: Duration = Duration::from_secs(10);

/// The same on a connection whose remote let [`FIN_ACK_TIMEOUT`] pass and has never sent a FIN_ACK:
/// it predates the flag (libp2p-webrtc 0.10), and waiting long for every stream would only stall.
pub const FIN_ACK_TIMEOUT_OLD_PEER: Duration = Duration::from_millis(250);

/// How long a stream the application let go of lives on to wait for the remote's FIN, before
/// its channel is closed regardless.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(10);

// --- Connections ------------------------------------------------------------------------------

/// Inbound channels that wait for the muxer to accept them. They arrive before Noise has ended
/// and cannot be refused beforehand; what comes beyond is closed at once. 256 is yamux's default
/// backlog in libp2p.
pub const MAX_PENDING_INBOUND: usize = 256;

/// Streams alive on one connection, lingering ones included. SCTP as browsers negotiate it has
/// 1024 streams a direction, half of them for each side to open.
pub const MAX_STREAMS: usize = 1024;

/// Ids of closed channels that a browser is kept from using again on the same connection. It always
/// takes the lowest free id, so otherwise the id of a stream that just ended is the next stream's; to
/// a go-libp2p application that has half-closed the former and not let go of it yet (0.51), that is a
/// broken connection. They cannot be given back, so half of the 512 are left to be used again.
pub const MAX_PARKED_IDS: usize = 256;

/// Channels of ended streams that are left open on a connection, so that their ids are not used again and closing them
/// does not hold up the next stream; beyond, the oldest [`REST_CLOSED_TOGETHER`] are closed. With the parked ones
/// it leaves a quarter of the ids.
pub const MAX_RESTING_CHANNELS: usize = 128;

/// See [`MAX_RESTING_CHANNELS`]. SCTP resets many streams by one request, and has one such request on its way at a time.
pub const REST_CLOSED_TOGETHER: usize = 32;

/// How long a channel rests. Less than the 2 s after which our servers close channels that their opener left to them.
pub const REST: Duration = Duration::from_secs(1);

/// What has rested so long is closed together with those that have rested for [`REST`].
pub const REST_LEAST: Duration = Duration::from_millis(500);

/// How long opening a channel waits for the ids of ended ones to become free, so that they can be taken first.
/// On one machine or one network that takes 2–10 ms; on a slower path the id is safely in use when this has passed.
pub const ID_WAIT: Duration = Duration::from_millis(20);

/// A remote needs at least two round trips after the end of a stream until the channel's id is free: by then the next stream
/// of an application that opens one after another has its own, and nothing is waited for.
pub const ID_FRESH: Duration = Duration::from_millis(1);

/// After such a wait channels are opened without one for this long: where streams come and go all the time,
/// there is always an id about to become free.
pub const ID_GRACE: Duration = Duration::from_millis(5);

/// ICE state `disconnected` heals by itself after a lost packet or a network change; a connection
/// that stays in it this long is given up.
pub const DISCONNECTED_TIMEOUT: Duration = Duration::from_secs(15);

// --- Dialing ----------------------------------------------------------------------------------

/// Head start of the preferred webrtc-direct version over the other one. A v1-only server does not
/// refuse v2, it never answers, so waiting for a failure would take seconds.
pub const VERSION_HEAD_START: Duration = Duration::from_millis(300);

/// Peers whose answering version is remembered; the oldest is forgotten first.
pub const MAX_REMEMBERED_VERSIONS: usize = 1024;

/// Making the offer and setting both descriptions is local work, certificate generation included.
pub const SDP_TIMEOUT: Duration = Duration::from_secs(5);

/// ICE and DTLS. Browsers themselves give up after 15 s or more.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Opening of channel 0 (the SCTP association) once DTLS stands.
pub const HANDSHAKE_CHANNEL_TIMEOUT: Duration = Duration::from_secs(5);

/// The Noise handshake: one and a half round trips and a signature on each side.
pub const NOISE_TIMEOUT: Duration = Duration::from_secs(10);

/// `RTCPeerConnection`s that may exist in this process and are not known to be garbage-collected.
/// Chromium refuses the 501st, closed ones included; some room is left for others in the process.
pub const MAX_PEER_CONNECTIONS: usize = 450;

/// Of these, so many before offers of peers are not answered any more: anybody may make peers and offers, and must not take what
/// this node's own dials need.
pub const MAX_OFFERED_PEER_CONNECTIONS: usize = 300;

/// Longest SDP looked at. Browsers' data-channel offers are about 1 KiB, plus one line for each
/// local candidate.
pub const MAX_SDP: usize = 64 * 1024;

// --- Signalling -------------------------------------------------------------------------------

/// Longest message on a signalling stream, length prefix excluded. A browser's data-channel description is about 600
/// bytes, and 100 for each candidate that some write into it.
pub const MAX_SIGNALLING_MESSAGE: usize = 16 * 1024;

/// Messages taken from a peer in one attempt. A machine with many interfaces has some dozens of candidates, and tells of
/// TCP ones too, which are not used.
pub const MAX_SIGNALLING_MESSAGES: usize = 256;

/// Candidates used of a peer, and told to it, in one attempt: each makes ICE check a pair with each of ours.
pub const MAX_SIGNALLED_CANDIDATES: usize = 64;

/// How long the peer's offer or answer may take: some round trips over the relay, and making a certificate.
pub const SIGNALLING_DESCRIPTION_TIMEOUT: Duration = Duration::from_secs(10);

/// How long candidates are exchanged and tried. Browsers themselves give a pair up after about 15 s.
pub const SIGNALLING_CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a connection may still come up after the peer ended the stream, which it does when it sees it up.
pub const SIGNALLING_END_GRACE: Duration = Duration::from_secs(3);

/// Opening the circuit, if there is none yet, and the signalling stream on it.
pub const SIGNALLING_STREAM_TIMEOUT: Duration = Duration::from_secs(15);

/// Negotiating the protocol of a signalling stream: two round trips over the relay.
pub const SIGNALLING_NEGOTIATION_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a dial may wait for others of the same peer: as long as one of them can take. A peer has as many addresses as it
/// likes, and a request that gave up leaves its dial behind.
pub const SIGNALLING_TURN_TIMEOUT: Duration = Duration::from_secs(45);

/// Signalling streams of one circuit that are accepted and not yet passed on: the behaviour takes each at its next turn.
pub const MAX_OPENED_OFFERS: usize = 4;

/// Dials under way, those included that wait for their turn or their signalling stream. More than `mooring-node` tries of all sites, the
/// user and itself at once: here nobody knows any more for whom they are.
pub const MAX_SIGNALLED_DIALS: usize = 256;

/// Offers that wait to be taken up by the swarm.
pub const MAX_WAITING_OFFERS: usize = 16;

/// Offers of one peer that are answered at once. One, and another for a peer that gave up and began anew.
pub const MAX_OFFERS_PER_PEER: usize = 2;

/// Offers taken from everybody at once, and then one every [`OFFER_EVERY`]. Each may cost an `RTCPeerConnection`, of which a browser
/// process has few ([`MAX_PEER_CONNECTIONS`]) and which only the garbage collector gives back.
pub const OFFER_BURST: u32 = 64;
/// See [`OFFER_BURST`].
pub const OFFER_EVERY: Duration = Duration::from_millis(500);

/// Beside those, offers taken at once of peers that were connected directly before, so that strangers cannot keep them out; then one every
/// [`RESERVED_OFFER_EVERY`]. Peers that somebody here wants connected have only their own rate: the node bounds their number.
pub const RESERVED_OFFER_BURST: u32 = 32;
/// See [`RESERVED_OFFER_BURST`].
pub const RESERVED_OFFER_EVERY: Duration = Duration::from_secs(1);
/// Peers remembered that were connected directly. A stranger gets in by a connection that stands, at the rate of offers.
pub const MAX_MET: usize = 1024;

/// The same of one peer, so that it cannot take all. A peer connects once and seldom tries again; pages that come and go may make it.
pub const PEER_OFFER_BURST: u32 = 32;
/// See [`PEER_OFFER_BURST`].
pub const PEER_OFFER_EVERY: Duration = Duration::from_secs(1);

/// Peers whose rate is remembered beyond their circuit; the oldest goes first.
pub const MAX_REMEMBERED_OFFERERS: usize = 256;

/// Own `/webrtc` addresses announced: those of some relays, each with some addresses. A relay chooses how many it names.
pub const MAX_ANNOUNCED: usize = 24;

/// How long the `init` channel may take to open and close once the connection is up: two round trips.
pub const INIT_CHANNEL_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the peer may take to end the signalling stream after us, before it is reset.
pub const SIGNALLING_GOODBYE: Duration = Duration::from_secs(5);
