//! Bounds of the native backend; those of the protocol itself are in [`crate::core`]'s.

use std::time::Duration;

/// Largest UDP payload we make ourselves during the DTLS handshake: 1,280, IPv6's least MTU, less 48 bytes of headers.
pub(crate) const DTLS_MTU: usize = 1232;

/// Room for one decrypted record; browsers send at most about 1,200 bytes.
pub(crate) const DTLS_BUFFER: usize = 4 * 1024;

/// A TLS record holds at most 16 KiB and some overhead, so a larger one is an error of ours.
pub(crate) const MAX_DTLS_BUFFER: usize = 20 * 1024;

/// First wait before a DTLS flight is sent again; RFC 9147, section 5.8.2 suggests less than the former second.
pub(crate) const DTLS_RETRANSMIT: Duration = Duration::from_millis(400);

/// User bytes in one SCTP DATA chunk: with 16 + 12 bytes of SCTP, 37 of DTLS, 8 of UDP and 40 of IPv6 below 1,280.
pub(crate) const SCTP_PAYLOAD: u32 = 1_164;

/// What SCTP keeps of messages nobody has read, for all channels of a connection. It is the peer's window, so with
/// [`SCTP_PAYLOAD`]-sized packets it carries 80 MB/s over 12 ms, and one connection costs no more than this when its
/// streams are not read.
pub(crate) const SCTP_RECEIVE_BUFFER: u32 = 1024 * 1024;

/// Above this many unread bytes in SCTP the peer is about to be held back on all channels of the connection.
pub(crate) const TIGHT_WINDOW: usize = 512 * 1024;

/// A peer that was told of less room than this is told again once there is: a fifth of a second at 1 MB/s.
pub(crate) const CLOSED_WINDOW: u32 = 256 * 1024;

/// DATA chunks that SCTP may keep: with tiny messages it would be a million before the window is full, and each is
/// looked through for every further one. A window full of whole packets is 900.
pub(crate) const MAX_WAITING_CHUNKS: u32 = 4_096;

/// What SCTP may keep for a peer whose Noise handshake has not ended: less than 1 KiB is needed, more may come with
/// streams that it opens early.
pub(crate) const STRANGER_WINDOW: usize = 256 * 1024;
/// The same as chunks. With their packets, of up to [`MAX_DATAGRAM`], 1 MiB at worst.
pub(crate) const STRANGER_CHUNKS: u32 = 256;
/// Channels that such a peer may begin: as many as wait for the muxer at most, and some being closed.
pub(crate) const STRANGER_CHANNELS: usize = 512;

/// What SCTP may keep of each connection when all together have used up [`PROCESS_RECEIVE_BUFFER`]: four libp2p frames.
pub(crate) const SHORT_WINDOW: usize = 64 * 1024;

/// Unread bytes of all connections of a process, in streams and in SCTP, without what each connection may have in any case.
/// One that is not read at all takes 4 MiB, or [`CONNECTION_RECEIVE_BUFFER`] if it has many streams.
pub(crate) const PROCESS_RECEIVE_BUFFER: usize = 256 * 1024 * 1024;
/// What may be taken above it by connections that saw room at the same time, one message each.
pub(crate) const PROCESS_OVERDRAFT: usize = 16 * 1024 * 1024;

/// Unread bytes of one connection.
pub(crate) const CONNECTION_RECEIVE_BUFFER: usize = 16 * 1024 * 1024;
/// The same until its Noise handshake has ended.
pub(crate) const STRANGER_RECEIVE_BUFFER: usize = 1024 * 1024;
/// What each connection may have however much the others use, so that they cannot stop it: with
/// [`MAX_CONNECTIONS`] of them half a gigabyte, which takes as many hosts as [`MAX_PER_SOURCE`] says.
pub(crate) const FREE_RECEIVE_BUFFER: usize = 128 * 1024;

/// Largest message taken. libp2p frames are 16 KiB, but a browser announces 256 KiB to go-libp2p and may use it.
pub(crate) const MAX_RECEIVED_MESSAGE: u32 = 256 * 1024;

/// SCTP's retransmission timer. RFC 9260 starts at 1 s and allows nothing below; browsers use less, as ICE watches the
/// path.
pub(crate) const SCTP_INITIAL_RTO_MS: u64 = 500;
/// See [`SCTP_INITIAL_RTO_MS`]; above the 200 ms for which a peer may hold an acknowledgement back.
pub(crate) const SCTP_MIN_RTO_MS: u64 = 250;
/// A peer silent for longer than [`PEER_SILENCE`] is given up, so waiting longer is pointless.
pub(crate) const SCTP_MAX_RTO_MS: u64 = 5_000;

/// Highest channel id we use ourselves: Chromium offers 1,024 SCTP streams.
pub(crate) const MAX_CHANNEL_ID: u16 = 1_022;

/// How many ids rest after use before the oldest is taken again; most of the 511 there are. A remote that half-closes its
/// streams and never closes them still counts a channel as its own when SCTP has long reset it, and go-libp2p (0.51) ends
/// the connection over an id that it sees again.
pub(crate) const RESTING_CHANNEL_IDS: usize = 384;

/// Channels of a connection that are open or waiting for the peer's end of the reset. Live streams have their own, lower
/// bound; a peer that opens channels and never completes their reset ends its own connection here.
pub(crate) const MAX_CHANNELS: usize = 4_096;

/// How long a channel that the peer opened, and whose stream is over, is left for the peer to close. It needs a round
/// trip; remotes that never close theirs (libp2p-webrtc 0.10) get ours after this.
pub(crate) const LEFT_CHANNEL_TIMEOUT: Duration = Duration::from_secs(2);

/// Channels left to the peer at once; beyond, the oldest is closed at once. Keeps a peer that opens streams quickly and
/// never closes their channels below [`MAX_CHANNELS`].
pub(crate) const MAX_LEFT_CHANNELS: usize = 1_024;

/// From the first STUN request (or the dial) to the end of the Noise handshake.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// A connection ends when nothing at all came from the peer for this long. Browsers send a STUN check at least every
/// 2.5 s and consent expires after 30 s (RFC 7675); 15 s is six lost checks in a row.
pub(crate) const PEER_SILENCE: Duration = Duration::from_secs(15);

/// How often a dialer checks an established path. RFC 7675 asks for about 5 s.
pub(crate) const CHECK_INTERVAL: Duration = Duration::from_millis(2_500);

/// First wait before an unanswered STUN check of a dial is repeated; doubles up to [`MAX_CHECK_RETRY`].
pub(crate) const FIRST_CHECK_RETRY: Duration = Duration::from_millis(50);
/// See [`FIRST_CHECK_RETRY`].
pub(crate) const MAX_CHECK_RETRY: Duration = Duration::from_millis(800);

/// Outstanding STUN checks whose answers a dialer recognises.
pub(crate) const MAX_OUTSTANDING_CHECKS: usize = 16;

/// Connections of one listening socket, with those still in their handshake.
pub(crate) const MAX_CONNECTIONS: usize = 4_096;

/// Connections of one listening socket that have not finished their handshake. A handshake costs about 100 KiB and ends
/// in time ([`HANDSHAKE_TIMEOUT`]).
pub(crate) const MAX_PENDING: usize = 512;

/// The same from one IPv4 address or IPv6 /64, so that one host cannot take all places.
pub(crate) const MAX_PENDING_PER_SOURCE: usize = 128;

/// Connections from one IPv4 address or IPv6 /64, established or in their handshake: it takes sixteen to fill a
/// listener. A household or a small office behind one address stays far below.
pub(crate) const MAX_PER_SOURCE: usize = 256;

/// New ICE credentials a second (and at once) that a listener looks at, from everywhere.
pub(crate) const NEW_PEERS_PER_SECOND: u32 = 256;
/// See [`NEW_PEERS_PER_SECOND`].
pub(crate) const NEW_PEERS_BURST: u32 = 1_024;
/// The same from one IPv4 address or IPv6 /64: many browsers may share one.
pub(crate) const NEW_PEERS_PER_SOURCE_PER_SECOND: u32 = 32;
/// See [`NEW_PEERS_PER_SOURCE_PER_SECOND`].
pub(crate) const NEW_PEERS_PER_SOURCE_BURST: u32 = 128;
/// Sources whose rate is remembered; when full, those that are quiet go first, and then all are judged as one.
pub(crate) const MAX_SOURCES: usize = 4_096;

/// How often, at most, quiet sources are looked for in a full table.
pub(crate) const SOURCE_SWEEP: Duration = Duration::from_secs(1);

/// Addresses a connection may be reached from: a browser tries each of its interfaces, and moves between networks.
pub(crate) const MAX_ADDRESSES_PER_CONNECTION: usize = 8;

/// Datagrams waiting for a connection's task. UDP may drop what does not fit: SCTP sends it again.
pub(crate) const DATAGRAM_QUEUE: usize = 512;

/// Datagrams a connection takes before it acknowledges and sends: fewer wake-ups, fewer SACKs.
pub(crate) const DATAGRAM_BATCH: usize = 32;

/// Largest datagram taken: Ethernet's MTU with room for jumbo path MTUs used on loopback by some stacks.
pub(crate) const MAX_DATAGRAM: usize = 4 * 1024;

/// Kernel buffers of a socket. Linux's default of 208 KiB overflows when many peers send at once.
pub(crate) const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// Bytes handed to SCTP and not yet acknowledged, for all streams of a connection. More was not faster in measurements
/// and delays small streams behind large ones.
pub(crate) const SEND_BUFFER: usize = 256 * 1024;

/// What one stream may have in SCTP while others wait for their turn.
pub(crate) const SEND_TURN: usize = 32 * 1024;

/// Connections whose handshake has finished, waiting for the swarm.
pub(crate) const ACCEPT_QUEUE: usize = 64;

/// How long the last packets of a closing connection may take to be sent.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Unread bytes of one stream beyond which its messages stay in SCTP. A reader that keeps up never gets here.
pub(crate) const STREAM_RECEIVE_BUFFER: usize = 256 * 1024;

/// What a peer that knows windows may have sent beyond what was read, once a reader has fallen behind: as much as SCTP lets it
/// have under way ([`SCTP_RECEIVE_BUFFER`]), so that a reader that catches up again is not held back. The peer is told
/// when [`STREAM_RECEIVE_BUFFER`] lie unread, a quarter of it, and SCTP has nothing of it yet.
pub(crate) const WINDOW: u64 = 1024 * 1024;

const _: () = assert!(WINDOW / 4 <= STREAM_RECEIVE_BUFFER as u64);

/// Unread bytes of a stream whose peer has been told a window, beyond which its messages stay in SCTP: those told of by then
/// ([`STREAM_RECEIVE_BUFFER`]), what may be on its way ([`SCTP_RECEIVE_BUFFER`]), as much again if the telling was lost, and
/// a browser's queue. So a peer that keeps to it leaves SCTP's own window open, which is the connection's; and what it tells in turn does
/// not wait behind its data, for which its own reader may be waiting.
pub(crate) const WINDOWED_RECEIVE_LIMIT: usize = 3 * 1024 * 1024;

/// Addresses of this machine that a signalled connection has a socket at.
pub(crate) const MAX_ICE_SOCKETS: usize = 8;

/// Pairs of addresses that ICE checks: each is a datagram every few dozen milliseconds until one works.
pub(crate) const MAX_ICE_PAIRS: usize = 128;

/// Sources of verified checks that are remembered: the peer's candidates, and what NATs make of them.
pub(crate) const MAX_ICE_SOURCES: usize = 96;

/// Time between two checks. RFC 8445 asks for 50 ms where many sessions share a path; libwebrtc starts with 48 ms a pair.
pub(crate) const ICE_PACE: Duration = Duration::from_millis(20);

/// The same as [`STREAM_RECEIVE_BUFFER`] while SCTP is filling up ([`TIGHT_WINDOW`]), which holds back the other streams of
/// the connection too.
pub(crate) const STREAM_RECEIVE_LIMIT: usize = 2 * 1024 * 1024;

/// A held stream takes messages again once its reader has made this much room: four frames, so that a wake-up is worth it.
pub(crate) const RESUME_ROOM: usize = 64 * 1024;

/// A stream whose reader has taken nothing for this long is reset if others need the room: its connection's, when SCTP is
/// filled up, or everybody's. Shorter than it takes libp2p to give up an unanswered ping (20 s); a reader that moves at
/// all is waited for.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a connection looks whether others have given memory back.
pub(crate) const SHORT_RETRY: Duration = Duration::from_millis(250);
