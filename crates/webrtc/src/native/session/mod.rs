//! The WebRTC stack behind one type: DTLS (dimpl), SCTP (sctp-proto) and data channels, without input or output.
//!
//! Nothing outside this module knows which crates these are. A caller feeds datagrams and time, then takes datagrams,
//! events and the next deadline until there are no more. Messages are *pulled*: what is not read stays in SCTP's
//! receive window, which is how a slow reader slows its peer.

mod dcep;
#[cfg(test)]
mod fuzz;
mod inflow;
mod packet;
mod sctp;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use dimpl::{Dtls, Output};

use super::certificate::Certificate;
use super::limits;
use crate::core::{certhash::Fingerprint, frame};
use sctp::Sctp;

pub(crate) use inflow::Bounds;
pub(crate) use sctp_proto::StreamId as ChannelId;

/// The channel of the Noise handshake.
pub(crate) const HANDSHAKE_CHANNEL: ChannelId = sctp::HANDSHAKE_CHANNEL;

/// Who opens the DTLS session and the SCTP association.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The dialer.
    Client,
    /// The listener.
    Server,
}

/// What a session reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// Channels can be used.
    Connected,
    /// The peer opened a channel.
    Opened(ChannelId),
    /// A message may be waiting on a channel.
    Readable(ChannelId),
    /// The peer closed a channel.
    Closed(ChannelId),
    /// The session has ended; it reports nothing more.
    Ended(End),
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer closed it in order.
    Closed,
    /// The peer's certificate is not the one its address promises.
    WrongCertificate { found: Fingerprint },
    /// DTLS failed.
    Dtls(String),
    /// SCTP failed.
    Sctp(String),
}

/// One DTLS session with its data channels.
pub(crate) struct Session {
    role: Role,
    dtls: Dtls,
    sctp: Sctp,
    expected: Option<Fingerprint>,
    remote: Option<Fingerprint>,
    secured: bool,
    ended: bool,
    deadline: Option<Instant>,
    scratch: Vec<u8>,
    outgoing: VecDeque<Bytes>,
    events: VecDeque<Event>,
}

impl Session {
    /// `expected` is the SHA-256 of the certificate the peer must show; a listener takes any and reports it.
    pub(crate) fn new(
        role: Role,
        certificate: &Certificate,
        expected: Option<Fingerprint>,
        now: Instant,
    ) -> Result<Self, End> {
        Self::build(role, certificate, expected, true, now)
    }

    /// One whose peer signalling has authenticated: without the channel of the Noise handshake.
    pub(crate) fn signalled(
        role: Role,
        certificate: &Certificate,
        expected: Fingerprint,
        now: Instant,
    ) -> Result<Self, End> {
        Self::build(role, certificate, Some(expected), false, now)
    }

    fn build(
        role: Role,
        certificate: &Certificate,
        expected: Option<Fingerprint>,
        handshake: bool,
        now: Instant,
    ) -> Result<Self, End> {
        let config = dimpl::Config::builder()
            .mtu(limits::DTLS_MTU)
            // STUN has already shown that the peer receives at its address.
            .use_server_cookie(false)
            .handshake_timeout(limits::HANDSHAKE_TIMEOUT)
            .flight_start_rto(limits::DTLS_RETRANSMIT)
            .build()
            .map_err(|error| End::Dtls(error.to_string()))?;
        let mut dtls = Dtls::new_12(Arc::new(config), certificate.to_dtls(), now);
        dtls.set_active(role == Role::Client);
        let mut session = Self {
            role,
            dtls,
            sctp: Sctp::new(role, handshake),
            expected,
            remote: None,
            secured: false,
            ended: false,
            deadline: None,
            scratch: vec![0; limits::DTLS_BUFFER],
            outgoing: VecDeque::new(),
            events: VecDeque::new(),
        };
        session.handle_timeout(now);
        Ok(session)
    }

    /// Whether there is a channel for the Noise handshake.
    pub(crate) fn has_handshake_channel(&self) -> bool {
        self.sctp.has_handshake_channel()
    }

    /// SHA-256 of the certificate the peer showed, once DTLS has it.
    pub(crate) fn remote_certificate(&self) -> Option<Fingerprint> {
        self.remote
    }

    /// Takes a DTLS datagram. Follow with [`Session::process`], once for a batch.
    pub(crate) fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        if self.ended {
            return;
        }
        if let Err(error) = self.dtls.handle_packet(datagram) {
            return self.end(End::Dtls(error.to_string()));
        }
        self.drain_dtls(now);
    }

    /// Runs timers that are due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.ended {
            return;
        }
        if let Err(error) = self.dtls.handle_timeout(now) {
            return self.end(End::Dtls(error.to_string()));
        }
        self.drain_dtls(now);
        self.sctp.handle_timeout(now);
    }

    /// Turns what was fed or written into datagrams and events.
    pub(crate) fn process(&mut self, now: Instant) {
        loop {
            let mut idle = true;
            while let Some(event) = self.sctp.poll_event() {
                idle = false;
                self.sctp_event(event);
            }
            while let Some(packets) = self.sctp.poll_transmit(now) {
                idle = false;
                for packet in packets {
                    self.send_packet(now, &packet);
                }
            }
            if idle || self.ended {
                return;
            }
        }
    }

    /// When [`Session::handle_timeout`] is due next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if self.ended {
            return None;
        }
        [self.deadline, self.sctp.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    /// The next datagram to send.
    pub(crate) fn poll_transmit(&mut self) -> Option<Bytes> {
        self.outgoing.pop_front()
    }

    /// The next event.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Opens a channel that can be written to at once. `None`: not connected, or no id is free.
    pub(crate) fn open(&mut self) -> Option<ChannelId> {
        self.sctp.open()
    }

    /// Whether [`Session::open`] would find a free channel id.
    pub(crate) fn can_open(&self) -> bool {
        self.sctp.can_open()
    }

    /// The next message of a channel, at most [`limits::MAX_RECEIVED_MESSAGE`] bytes.
    pub(crate) fn read(&mut self, id: ChannelId) -> Option<Bytes> {
        self.sctp.read(id)
    }

    /// Queues one frame. `false`: the channel is gone.
    pub(crate) fn write(&mut self, id: ChannelId, frame: Bytes) -> bool {
        frame::messages(frame).all(|message| self.sctp.write(id, message))
    }

    /// Bytes written to a channel that the peer has not acknowledged.
    pub(crate) fn buffered(&mut self, id: ChannelId) -> usize {
        self.sctp.buffered(id)
    }

    /// Closes a channel after what was written to it.
    pub(crate) fn close(&mut self, id: ChannelId) {
        self.sctp.close(id);
    }

    /// Closes a channel of the peer's that we do not want.
    pub(crate) fn refuse(&mut self, id: ChannelId) {
        self.sctp.refuse(id);
    }

    /// What the peer may have waiting from now on; [`Bounds::STRANGER`] at first.
    pub(crate) fn bound(&mut self, bounds: Bounds) {
        self.sctp.bound(bounds);
    }

    /// Bytes that wait to be read.
    pub(crate) fn unread(&self) -> usize {
        self.sctp.unread()
    }

    /// Whether what waits to be read holds the peer back on all channels, or soon will.
    pub(crate) fn is_tight(&self) -> bool {
        self.sctp.is_tight()
    }

    /// Tells the peer that the session ends. Nothing can be read or written afterwards.
    pub(crate) fn shutdown(&mut self, now: Instant) {
        if self.ended {
            return;
        }
        if self.dtls.close().is_ok() {
            self.drain_dtls(now);
        }
        self.ended = true;
    }

    fn send_packet(&mut self, now: Instant, packet: &[u8]) {
        if !self.secured || self.ended {
            return;
        }
        match self.dtls.send_application_data(packet) {
            Ok(_) => self.drain_dtls(now),
            Err(error) => self.end(End::Dtls(error.to_string())),
        }
    }

    fn drain_dtls(&mut self, now: Instant) {
        loop {
            match self.dtls.poll_output(&mut self.scratch) {
                Output::Packet(packet) => self.outgoing.push_back(Bytes::copy_from_slice(packet)),
                Output::BufferTooSmall { needed } => {
                    if needed > limits::MAX_DTLS_BUFFER {
                        return self.end(End::Dtls(format!("a record of {needed} bytes")));
                    }
                    self.scratch.resize(needed, 0);
                }
                Output::Timeout(at) => {
                    self.deadline = Some(at);
                    return;
                }
                Output::PeerCert(der) => {
                    let found = Fingerprint::of_certificate(der);
                    self.remote = Some(found);
                    if self.expected.is_some_and(|expected| expected != found) {
                        return self.end(End::WrongCertificate { found });
                    }
                }
                Output::Connected => {
                    self.secured = true;
                    if self.role == Role::Client {
                        self.sctp.connect();
                    }
                }
                Output::ApplicationData(data) => {
                    let packet = Bytes::copy_from_slice(data);
                    self.sctp.handle_packet(now, packet);
                }
                Output::CloseNotify => return self.end(End::Closed),
                _ => {}
            }
        }
    }

    fn sctp_event(&mut self, event: sctp::Event) {
        let event = match event {
            sctp::Event::Connected => Event::Connected,
            sctp::Event::Opened(id) => Event::Opened(id),
            sctp::Event::Readable(id) => Event::Readable(id),
            sctp::Event::Closed(id) => Event::Closed(id),
            sctp::Event::Lost(end) => return self.end(end),
        };
        if !self.ended {
            self.events.push_back(event);
        }
    }

    fn end(&mut self, end: End) {
        if !self.ended {
            self.ended = true;
            self.events.push_back(Event::Ended(end));
        }
    }
}
