//! SCTP and data channels over a DTLS session (RFC 8831, RFC 8832).

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sctp_proto::{
    Association, AssociationError, AssociationHandle, Chunks, ClientConfig, DatagramEvent,
    Endpoint, EndpointConfig, Payload, PayloadProtocolIdentifier, ServerConfig, StreamEvent,
    TransportConfig,
};

use super::dcep::{self, Message};
use super::inflow::{Bounds, Inflow, Verdict};
use super::{ChannelId, End, Role, packet};
use crate::core::signalling::INIT_CHANNEL;
use crate::native::limits;

/// What happened to the association or a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    Connected,
    /// The peer opened a channel.
    Opened(ChannelId),
    /// A message may be waiting.
    Readable(ChannelId),
    /// The peer closed the channel, or broke its protocol; nothing more can be read or written.
    Closed(ChannelId),
    /// The association is gone.
    Lost(End),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The peer sent something, but not yet the OPEN message.
    Incoming,
    /// Usable in both directions.
    Open,
    /// Over for us, or for the peer. The id can be used again once both directions are reset.
    Closing,
}

/// Channels that the peer opened and that we are done with: it closes them.
///
/// Both sides of a libp2p stream are done with its channel at nearly the same time. sctp-proto (0.10.8) answers a
/// peer's reset with one of its own even when its own has just been acknowledged, and libdatachannel (js-libp2p in
/// Node), which uses an id again at once, takes the second one for the new channel and closes that. The owner of the id
/// going first makes it one reset a side.
#[derive(Default)]
struct Left {
    order: BTreeSet<(Instant, ChannelId)>,
    until: HashMap<ChannelId, Instant>,
}

impl Left {
    fn insert(&mut self, id: ChannelId, until: Instant) {
        self.remove(id);
        self.until.insert(id, until);
        self.order.insert((until, id));
    }

    fn remove(&mut self, id: ChannelId) {
        if let Some(until) = self.until.remove(&id) {
            self.order.remove(&(until, id));
        }
    }

    fn next(&self) -> Option<Instant> {
        self.order.first().map(|(until, _)| *until)
    }

    /// One whose time is up, or the oldest if there are too many.
    fn take(&mut self, now: Option<Instant>) -> Option<ChannelId> {
        let &(until, id) = self.order.first()?;
        let due = now.is_some_and(|now| until <= now);
        if !due && self.order.len() <= limits::MAX_LEFT_CHANNELS {
            return None;
        }
        self.remove(id);
        Some(id)
    }
}

pub(super) struct Sctp {
    endpoint: Endpoint,
    handle: AssociationHandle,
    association: Option<Association>,
    established: bool,
    channels: HashMap<ChannelId, State>,
    /// Ids of our own parity that were used and are free again, oldest first.
    free: VecDeque<ChannelId>,
    /// The next id of our own parity that was never used.
    fresh: u32,
    left: Left,
    handshake: bool,
    /// The `init` channel of a signalled session has come; there is only one.
    init_seen: bool,
    inflow: Inflow,
    /// The latest time we were told.
    clock: Option<Instant>,
    events: VecDeque<Event>,
}

/// libp2p runs the Noise handshake on this channel, which neither side announces.
pub(super) const HANDSHAKE_CHANNEL: ChannelId = 0;

/// sctp-proto wants an address, which nothing uses: DTLS carries the packets.
const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 5000);

impl Sctp {
    /// `handshake`: nobody announces the channel of the Noise handshake, which is there from the beginning.
    pub(super) fn new(role: Role, handshake: bool) -> Self {
        let mut config = EndpointConfig::default();
        config.max_payload_size(limits::SCTP_PAYLOAD);
        let mut server = ServerConfig::default();
        server.transport = transport_config();
        let mut endpoint = Endpoint::new(Arc::new(config), Some(Arc::new(server)));
        if role == Role::Client {
            // The dialer ignores an INIT that crosses its own, as pion sends: its own is answered all the same. (Without a
            // server configuration sctp-proto 0.10.8 would panic instead.)
            endpoint.reject_new_associations();
        }
        Self {
            endpoint,
            handle: AssociationHandle(0),
            association: None,
            established: false,
            handshake,
            init_seen: handshake,
            channels: if handshake {
                HashMap::from([(HANDSHAKE_CHANNEL, State::Open)])
            } else {
                HashMap::new()
            },
            free: VecDeque::new(),
            // RFC 8832, section 6: the DTLS client uses even ids, the server odd ones; 0 is the handshake channel.
            fresh: match role {
                Role::Client => 2,
                Role::Server => 1,
            },
            left: Left::default(),
            inflow: Inflow::new(),
            clock: None,
            events: VecDeque::new(),
        }
    }

    /// Starts the association; the client does so as soon as DTLS is up.
    pub(super) fn connect(&mut self) {
        if self.association.is_some() {
            return;
        }
        let mut config = ClientConfig::default();
        config.transport = transport_config();
        match self.endpoint.connect(config, ADDRESS) {
            Ok((handle, association)) => {
                self.handle = handle;
                self.association = Some(association);
            }
            Err(error) => self
                .events
                .push_back(Event::Lost(End::Sctp(error.to_string()))),
        }
    }

    pub(super) fn handle_packet(&mut self, now: Instant, packet: Bytes) {
        let is_data = |chunk: &packet::Chunk| matches!(chunk, packet::Chunk::Data { .. });
        let (packet, data) = match self.inflow.arrives(&packet) {
            Verdict::Take => {
                let data = packet::chunks(&packet).filter(is_data).count();
                (packet, data)
            }
            Verdict::Instead(Some(packet)) => (packet, 0),
            Verdict::Instead(None) => return,
            Verdict::NoUserData => return self.lose("DATA without user data"),
        };
        let before = self.data_seen();
        self.feed(now, packet);
        // sctp-proto does not believe a chunk's own length everywhere, so that DATA could hide where we do not look.
        if self.data_seen().saturating_sub(before) > u64::try_from(data).unwrap_or(u64::MAX) {
            self.lose("DATA hidden in another chunk");
        }
    }

    /// DATA chunks that SCTP has seen.
    fn data_seen(&self) -> u64 {
        self.association
            .as_ref()
            .map_or(0, |association| association.stats().get_num_datas())
    }

    fn lose(&mut self, reason: &str) {
        self.events
            .push_back(Event::Lost(End::Sctp(reason.to_owned())));
    }

    fn feed(&mut self, now: Instant, packet: Bytes) {
        match self.endpoint.handle(now, ADDRESS, None, None, packet) {
            // One association a connection: a browser on a slow link repeats its INIT.
            Some((handle, DatagramEvent::NewAssociation(association)))
                if self.association.is_none() =>
            {
                self.handle = handle;
                self.association = Some(association);
                // Each further INIT would leave a record behind, however many come.
                self.endpoint.reject_new_associations();
            }
            Some((_, DatagramEvent::NewAssociation(_))) => {}
            Some((handle, DatagramEvent::AssociationEvent(event))) => {
                if let Some(association) =
                    self.association.as_mut().filter(|_| handle == self.handle)
                {
                    association.handle_event(event);
                }
            }
            None => {}
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some(id) = self.left.take(Some(now)) {
            self.reset(id);
        }
        if let Some(association) = &mut self.association {
            association.handle_timeout(now);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let association = self.association.as_ref()?.poll_timeout();
        [association, self.left.next()].into_iter().flatten().min()
    }

    /// Packets to send, if any.
    pub(super) fn poll_transmit(&mut self, now: Instant) -> Option<Vec<Bytes>> {
        self.clock = Some(now);
        if let Some(transmit) = self.endpoint.poll_transmit() {
            return raw(transmit.payload);
        }
        if let Some(packet) = self.inflow.reopens() {
            self.feed(now, packet.clone());
            self.feed(now, packet);
        }
        let packets = raw(self.association.as_mut()?.poll_transmit(now)?.payload)?;
        for packet in &packets {
            self.inflow.leaves(packet);
        }
        Some(packets)
    }

    /// What the peer may have waiting from now on.
    pub(super) fn bound(&mut self, bounds: Bounds) {
        self.inflow.bounds = bounds;
    }

    /// Bytes that wait to be read.
    pub(super) fn unread(&self) -> usize {
        self.inflow.unread()
    }

    /// Whether what waits holds the peer back on all channels, or soon will.
    pub(super) fn is_tight(&self) -> bool {
        self.inflow.is_tight()
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        while let Some(association) = &mut self.association {
            while let Some(event) = association.poll_endpoint_event() {
                if let Some(event) = self.endpoint.handle_event(self.handle, event) {
                    association.handle_event(event);
                }
            }
            let Some(event) = association.poll() else {
                break;
            };
            match event {
                sctp_proto::Event::Connected => {
                    self.established = true;
                    // It exists already if the peer was first to send on it.
                    if self.handshake {
                        let _ = association
                            .open_stream(HANDSHAKE_CHANNEL, PayloadProtocolIdentifier::Binary);
                    }
                    self.events.push_back(Event::Connected);
                }
                sctp_proto::Event::HandshakeFailed { reason }
                | sctp_proto::Event::AssociationLost { reason } => {
                    self.events.push_back(Event::Lost(end(&reason)));
                }
                sctp_proto::Event::Stream(event) => self.stream_event(event),
                sctp_proto::Event::DatagramReceived
                | sctp_proto::Event::DataChannelStatsFinal(_) => {}
                _ => {}
            }
        }
        self.events.pop_front()
    }

    /// Opens a channel. It can be written to at once. `None`: no id is free.
    pub(super) fn open(&mut self) -> Option<ChannelId> {
        let association = self.association.as_mut().filter(|_| self.established)?;
        let id = next_id(&mut self.free, &mut self.fresh)?;
        let opened = association
            .open_stream(id, PayloadProtocolIdentifier::Binary)
            .and_then(|mut stream| {
                stream.write_with_ppi(&Message::Open.encode(), PayloadProtocolIdentifier::Dcep)
            });
        match opened {
            Ok(_) => {
                self.channels.insert(id, State::Open);
                Some(id)
            }
            Err(error) => {
                tracing::debug!(id, %error, "cannot open a channel");
                None
            }
        }
    }

    pub(super) fn has_handshake_channel(&self) -> bool {
        self.handshake
    }

    pub(super) fn can_open(&self) -> bool {
        self.established
            && (!self.free.is_empty() || self.fresh <= u32::from(limits::MAX_CHANNEL_ID))
    }

    /// The next message of a channel. What is not read stays in the association's receive window and slows the peer.
    pub(super) fn read(&mut self, id: ChannelId) -> Option<Bytes> {
        loop {
            if !matches!(self.channels.get(&id), Some(State::Open | State::Incoming)) {
                return None;
            }
            let mut message = self.next_message(id)?;
            match message.ppi {
                PayloadProtocolIdentifier::Binary => {
                    let length = message.len();
                    return Some(message.next(length)?.bytes);
                }
                // An empty message travels as one byte of padding.
                PayloadProtocolIdentifier::BinaryEmpty => return Some(Bytes::new()),
                PayloadProtocolIdentifier::Dcep => self.control(id, &message),
                _ => {
                    self.violate(id);
                    return None;
                }
            }
        }
    }

    /// Queues a message. `false`: the channel is gone.
    pub(super) fn write(&mut self, id: ChannelId, message: Bytes) -> bool {
        if self.channels.get(&id) != Some(&State::Open) {
            return false;
        }
        let Some(mut stream) = self
            .association
            .as_mut()
            .and_then(|association| association.stream(id).ok())
        else {
            return false;
        };
        if message.is_empty() {
            return stream
                .write_with_ppi(&[0], PayloadProtocolIdentifier::BinaryEmpty)
                .is_ok();
        }
        // The only way to write without a copy takes the default type, which a stream made by the peer's data lacks.
        stream
            .set_default_payload_type(PayloadProtocolIdentifier::Binary)
            .is_ok()
            && stream.write_chunks(&mut [message]).is_ok()
    }

    /// Bytes of a channel that the peer has not acknowledged yet.
    pub(super) fn buffered(&mut self, id: ChannelId) -> usize {
        self.association
            .as_mut()
            .and_then(|association| association.stream(id).ok()?.buffered_amount().ok())
            .unwrap_or(0)
    }

    /// Closes a channel, once what was written is acknowledged; one that the peer opened is left for the peer to close,
    /// for a while.
    pub(super) fn close(&mut self, id: ChannelId) {
        if !self.start_closing(id) {
            return;
        }
        // Also of a channel of ours: sctp-proto gives the association up when what is unread fills the window at a reset.
        self.discard(id);
        let leave = self
            .clock
            .filter(|_| !self.is_own(id))
            .and_then(|now| now.checked_add(limits::LEFT_CHANNEL_TIMEOUT));
        let Some(until) = leave else {
            return self.reset(id);
        };
        self.left.insert(id, until);
        if let Some(id) = self.left.take(None) {
            self.reset(id);
        }
    }

    /// Closes a channel now, whoever opened it.
    pub(super) fn refuse(&mut self, id: ChannelId) {
        if self.start_closing(id) {
            self.discard(id);
            self.reset(id);
        }
    }

    /// Makes room in the window for what others have to say.
    fn discard(&mut self, id: ChannelId) {
        while self.next_message(id).is_some() {}
    }

    fn start_closing(&mut self, id: ChannelId) -> bool {
        let open = matches!(self.channels.get(&id), Some(State::Open | State::Incoming));
        if open {
            self.channels.insert(id, State::Closing);
        }
        open
    }

    /// sctp-proto has one reset request in flight at a time (RFC 6525, section 5.1.1) and puts all channels waiting for
    /// one into the next.
    fn reset(&mut self, id: ChannelId) {
        if let Some(Ok(mut stream)) = self
            .association
            .as_mut()
            .map(|association| association.stream(id))
            && let Err(error) = stream.close()
        {
            tracing::debug!(id, %error, "cannot reset a channel");
        }
    }

    /// Whether an id is of our parity.
    fn is_own(&self, id: ChannelId) -> bool {
        u32::from(id) % 2 == self.fresh % 2
    }

    fn stream_event(&mut self, event: StreamEvent) {
        match event {
            // Nobody announces the handshake channel.
            StreamEvent::Opened {
                id: HANDSHAKE_CHANNEL,
            } if self.channels.get(&HANDSHAKE_CHANNEL) == Some(&State::Open) => {}
            StreamEvent::Opened { id } => {
                // Also when the channel that had this id before is still in `Closing`: the peer can be done with it
                // before we are.
                self.left.remove(id);
                self.channels.insert(id, State::Incoming);
                // Also those that are never announced: each costs SCTP a stream of its own.
                if self.channels.len() > self.inflow.bounds.channels {
                    self.lose("too many channels");
                }
            }
            StreamEvent::Readable { id } => {
                if self.channels.get(&id) == Some(&State::Incoming) {
                    self.announce(id);
                }
                match self.channels.get(&id) {
                    Some(State::Open) => self.events.push_back(Event::Readable(id)),
                    Some(State::Closing) if self.left.until.contains_key(&id) => self.discard(id),
                    Some(State::Incoming | State::Closing) | None => {}
                }
            }
            StreamEvent::Finished { id } | StreamEvent::Stopped { id, .. } => {
                self.left.remove(id);
                match self.channels.insert(id, State::Closing) {
                    Some(State::Open) => self.events.push_back(Event::Closed(id)),
                    Some(State::Incoming | State::Closing) | None => {}
                }
            }
            StreamEvent::ResetComplete { id }
                if self.channels.get(&id) == Some(&State::Closing) =>
            {
                self.channels.remove(&id);
                if self.is_own(id) && !(self.handshake && id == HANDSHAKE_CHANNEL) {
                    self.free.push_back(id);
                }
            }
            StreamEvent::ResetFailed { id, reason } => {
                // The id stays unusable, which costs one entry.
                tracing::debug!(id, ?reason, "the peer did not reset a channel");
            }
            _ => {}
        }
    }

    fn next_message(&mut self, id: ChannelId) -> Option<Chunks> {
        let mut stream = self.association.as_mut()?.stream(id).ok()?;
        let message = stream.read_sctp().ok()??;
        self.inflow.read(message.chunks.len(), message.len());
        Some(message)
    }

    /// Reads the first message of a channel, which must be OPEN.
    fn announce(&mut self, id: ChannelId) {
        match self.next_message(id) {
            Some(message) if message.ppi == PayloadProtocolIdentifier::Dcep => {
                self.control(id, &message)
            }
            Some(_) => self.violate(id),
            None => {}
        }
    }

    fn control(&mut self, id: ChannelId, message: &Chunks) {
        let mut data = vec![0; message.len()];
        if message.read(&mut data).is_err() {
            return self.violate(id);
        }
        match (Message::decode(&data), self.channels.get(&id)) {
            (Some(Message::Open), Some(State::Incoming)) => {
                self.channels.insert(id, State::Open);
                let label = dcep::label(&data).unwrap_or_default();
                if label == INIT_CHANNEL.as_bytes() && !std::mem::replace(&mut self.init_seen, true)
                {
                    // It carries nothing, and the peer closes it.
                } else {
                    self.events.push_back(Event::Opened(id));
                }
                if let Some(Ok(mut stream)) = self
                    .association
                    .as_mut()
                    .map(|association| association.stream(id))
                {
                    let _ = stream
                        .write_with_ppi(&Message::Ack.encode(), PayloadProtocolIdentifier::Dcep);
                }
            }
            (Some(Message::Ack), Some(State::Open)) => {}
            _ => self.violate(id),
        }
    }

    fn violate(&mut self, id: ChannelId) {
        tracing::debug!(id, "the peer broke the data channel protocol");
        let open = self.channels.get(&id) == Some(&State::Open);
        self.refuse(id);
        if open {
            self.events.push_back(Event::Closed(id));
        }
    }
}

fn next_id(free: &mut VecDeque<ChannelId>, fresh: &mut u32) -> Option<ChannelId> {
    let exhausted = *fresh > u32::from(limits::MAX_CHANNEL_ID);
    // Old ids rest before they are used again: some stacks still have the former channel's end to digest.
    if exhausted || free.len() > limits::RESTING_CHANNEL_IDS {
        return free.pop_front();
    }
    let id = ChannelId::try_from(*fresh).ok()?;
    *fresh = fresh.saturating_add(2);
    Some(id)
}

fn transport_config() -> Arc<TransportConfig> {
    Arc::new(
        TransportConfig::default()
            // Whether the peer is still there is decided by the time of its last packet, not by counting attempts.
            .with_max_init_retransmits(None)
            .with_max_data_retransmits(None)
            .with_max_receive_buffer_size(limits::SCTP_RECEIVE_BUFFER)
            .with_max_receive_message_size(limits::MAX_RECEIVED_MESSAGE)
            .with_max_send_message_size(limits::MAX_RECEIVED_MESSAGE)
            .with_rto_initial_ms(limits::SCTP_INITIAL_RTO_MS)
            .with_rto_min_ms(limits::SCTP_MIN_RTO_MS)
            .with_rto_max_ms(limits::SCTP_MAX_RTO_MS),
    )
}

fn end(reason: &AssociationError) -> End {
    match reason {
        // Browsers abort the association when the page closes its connection.
        AssociationError::ApplicationClosed
        | AssociationError::AssociationClosed
        | AssociationError::Reset => End::Closed,
        reason => End::Sctp(reason.to_string()),
    }
}

fn raw(payload: Payload) -> Option<Vec<Bytes>> {
    match payload {
        Payload::RawEncode(packets) => Some(packets),
        Payload::PartialDecode(_) => None,
    }
}

#[cfg(test)]
mod tests;
