//! ICE between two nodes that cannot be dialed (RFC 8445, RFC 8838), for `/webrtc`: a socket for each address of this machine, host
//! candidates, and checks in both directions. The checks themselves are the `is` crate's.
//!
//! Without STUN servers a node behind a NAT has no candidate that the world can use; the peer's checks may still reach it
//! when it has checked the peer's first.

use std::collections::{HashSet, VecDeque};
use std::future::{Future as _, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use futures_timer::Delay;
use if_watch::IfEvent;
use if_watch::tokio::IfWatcher;
use is::stun::{StunMessage, StunPacket};
use is::{Candidate, IceAgent, IceAgentEvent, IceCreds, Protocol};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tokio::runtime::Handle;

use super::driver::Input;
use super::{limits, socket};
use crate::Error;
use crate::core::signalling::candidate::{self, Address};
use crate::core::signalling::{self, Role};
use crate::signalled::Allowed;

struct Local {
    address: SocketAddr,
    socket: Arc<UdpSocket>,
}

/// One side's candidates and checks.
pub(crate) struct IcePath {
    agent: IceAgent,
    allowed: Allowed,
    runtime: Handle,
    sockets: Vec<Local>,
    watcher: Option<IfWatcher>,
    /// Found and not told yet, as attributes.
    found: VecDeque<String>,
    /// Index of the socket, and the address, that data goes by.
    nominated: Option<(usize, SocketAddr)>,
    /// Where verified checks came from; bounded, as the agent remembers each.
    sources: HashSet<SocketAddr>,
    timer: Option<(Instant, Delay)>,
    buffer: Vec<u8>,
    inputs: VecDeque<Input>,
}

impl IcePath {
    /// Begins to find candidates, at these addresses or at all of this machine's but loopback.
    pub(crate) fn new(
        role: Role,
        addresses: Option<&[IpAddr]>,
        allowed: Allowed,
        runtime: Handle,
    ) -> Result<Self, Error> {
        let mut agent = IceAgent::new(IceCreds::new());
        // RFC 8445, section 6.1.1: who offers controls.
        agent.set_controlling(role == Role::Dialer);
        agent.set_max_candidate_pairs(limits::MAX_ICE_PAIRS);
        agent.set_timing_advance(limits::ICE_PACE);
        let watcher = match addresses {
            Some(_) => None,
            None => {
                let _guard = runtime.enter();
                Some(IfWatcher::new()?)
            }
        };
        let mut path = Self {
            agent,
            allowed,
            runtime,
            sockets: Vec::new(),
            watcher,
            found: VecDeque::new(),
            nominated: None,
            sources: HashSet::new(),
            timer: None,
            buffer: vec![0; limits::MAX_DATAGRAM],
            inputs: VecDeque::new(),
        };
        for address in addresses.unwrap_or_default() {
            path.bind(*address)?;
        }
        path.agent.handle_timeout(Instant::now());
        Ok(path)
    }

    pub(crate) fn credentials(&self) -> &IceCreds {
        self.agent.local_credentials()
    }

    pub(crate) fn set_remote_credentials(&mut self, ufrag: &str, password: &str) {
        self.agent.set_remote_credentials(IceCreds {
            ufrag: ufrag.to_owned(),
            pass: password.to_owned(),
        });
    }

    /// Uses a candidate of the peer. Names are not resolved: the peer checks from the address that a name hides.
    pub(crate) fn add_remote(&mut self, candidate: &signalling::Candidate) {
        if matches!(candidate.address, Address::Mdns(_)) {
            return;
        }
        if let Ok(candidate) = Candidate::from_sdp_string(&candidate.to_attribute()) {
            self.agent.add_remote_candidate(candidate);
        }
        // A new pair may be due earlier than what the timer waits for.
        self.timer = None;
    }

    /// A local candidate that was found, as an attribute.
    pub(crate) fn take_found(&mut self) -> Option<String> {
        self.found.pop_front()
    }

    /// Whether data can be sent.
    pub(crate) fn is_nominated(&self) -> bool {
        self.nominated.is_some()
    }

    fn bind(&mut self, ip: IpAddr) -> Result<(), Error> {
        if self.sockets.len() >= limits::MAX_ICE_SOCKETS {
            return Ok(());
        }
        let socket = {
            let _guard = self.runtime.enter();
            socket::bind(SocketAddr::new(ip, 0))?
        };
        let address = socket.local_addr()?;
        let Ok(candidate) = Candidate::host(address, Protocol::Udp) else {
            return Ok(());
        };
        if let Some(candidate) = self.agent.add_local_candidate(candidate) {
            // All are found in the same way; what tells them apart is the address (RFC 8445, section 5.1.1.3).
            let foundation = u32::try_from(self.sockets.len()).unwrap_or_default();
            let kind = candidate::Kind::Host;
            let told =
                signalling::Candidate::new(foundation, candidate.prio(), ip, address.port(), kind);
            self.found.push_back(told.to_attribute());
            self.sockets.push(Local { address, socket });
        }
        Ok(())
    }

    /// Does all that can be done now, and arranges to be woken. Then look at what has changed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) {
        self.poll_interfaces(cx);
        self.poll_sockets(cx);
        loop {
            let now = Instant::now();
            if self.timer.is_none() {
                let at = self.agent.poll_timeout().unwrap_or(now);
                let wait = at.saturating_duration_since(now);
                self.timer = Some((at, Delay::new(wait)));
            }
            let Some((_, delay)) = &mut self.timer else {
                return;
            };
            if Pin::new(delay).poll(cx).is_pending() {
                break;
            }
            self.timer = None;
            self.agent.handle_timeout(now);
            self.flush();
        }
        self.flush();
    }

    fn poll_interfaces(&mut self, cx: &mut Context<'_>) {
        // Later addresses would need the peer to be told, and signalling is over then.
        if self.nominated.is_some() {
            self.watcher = None;
        }
        while let Some(watcher) = &mut self.watcher {
            match watcher.poll_if_event(cx) {
                Poll::Ready(Ok(IfEvent::Up(net))) => {
                    let ip = net.addr();
                    let usable = match ip {
                        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local(),
                        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local(),
                    };
                    if usable && let Err(error) = self.bind(ip) {
                        tracing::debug!(%ip, %error, "no candidate at this address");
                    }
                }
                Poll::Ready(Ok(IfEvent::Down(_))) => {}
                Poll::Ready(Err(error)) => {
                    tracing::debug!(%error, "interfaces cannot be watched");
                    self.watcher = None;
                }
                Poll::Pending => return,
            }
        }
    }

    fn poll_sockets(&mut self, cx: &mut Context<'_>) {
        for index in 0..self.sockets.len() {
            let mut taken = 0_usize;
            loop {
                let Some(local) = self.sockets.get(index) else {
                    return;
                };
                if taken >= limits::DATAGRAM_BATCH {
                    // Others have their turn first.
                    cx.waker().wake_by_ref();
                    break;
                }
                let mut buffer = ReadBuf::new(&mut self.buffer);
                match local.socket.poll_recv_from(cx, &mut buffer) {
                    Poll::Ready(Ok(from)) => {
                        taken = taken.saturating_add(1);
                        let to = local.address;
                        let datagram = Bytes::copy_from_slice(buffer.filled());
                        self.handle(&datagram, from, to);
                    }
                    // ICMP errors of earlier sends surface here, one at a time.
                    Poll::Ready(Err(_)) => taken = taken.saturating_add(1),
                    Poll::Pending => break,
                }
            }
        }
    }

    fn push(&mut self, input: Input) {
        // Dropped rather than left in the socket, which would wake us again and again: while no path is chosen, nobody
        // takes what is here.
        if self.inputs.len() < limits::DATAGRAM_QUEUE {
            self.inputs.push_back(input);
        }
    }

    fn handle(&mut self, datagram: &Bytes, from: SocketAddr, to: SocketAddr) {
        // RFC 7983.
        match datagram.first() {
            Some(0..=3) => {}
            // Whatever DTLS does with it: it is encrypted, or part of a handshake that shows the peer's certificate.
            Some(20..=63) if self.sources.contains(&from) => {
                return self.push(Input::Dtls(datagram.clone()));
            }
            _ => return,
        }
        let Ok(message) = StunMessage::parse(datagram) else {
            return;
        };
        // The agent keeps a candidate for each source of a verified check, and checks it in turn.
        let known = self.sources.contains(&from);
        let room = known || self.sources.len() < limits::MAX_ICE_SOURCES;
        if !room || !self.agent.accepts_message(&message) {
            return;
        }
        // One that was let in stays: a connection outlives the reason it was made with.
        if !known && !self.allowed.ip(from.ip()) {
            return tracing::debug!("a check from an address that is not allowed");
        }
        self.sources.insert(from);
        let packet = StunPacket {
            proto: Protocol::Udp,
            source: from,
            destination: to,
            message,
        };
        if self.agent.handle_packet(Instant::now(), packet) {
            self.push(Input::Check {
                from,
                nominated: false,
            });
        }
        self.timer = None;
        self.flush();
    }

    /// Sends checks and answers, and takes note of nominations.
    fn flush(&mut self) {
        while let Some(transmit) = self.agent.poll_transmit() {
            let local = self
                .sockets
                .iter()
                .find(|local| local.address == transmit.source);
            if let Some(local) = local
                && let Err(error) = local
                    .socket
                    .try_send_to(&transmit.contents, transmit.destination)
            {
                tracing::trace!(to = %transmit.destination, %error, "cannot send a check");
            }
        }
        while let Some(event) = self.agent.poll_event() {
            if let IceAgentEvent::NominatedSend {
                source,
                destination,
                ..
            } = event
                && let Some(index) = self
                    .sockets
                    .iter()
                    .position(|local| local.address == source)
            {
                tracing::debug!(from = %source, to = %destination, "a path is chosen");
                self.nominated = Some((index, destination));
                // Data may come from there before a check does.
                if self.sources.len() < limits::MAX_ICE_SOURCES {
                    self.sources.insert(destination);
                }
            }
        }
    }

    /// Waits for input and takes what there is.
    pub(crate) async fn receive(&mut self, inputs: &mut Vec<Input>) {
        poll_fn(|cx| {
            self.poll(cx);
            if self.inputs.is_empty() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
        inputs.extend(self.inputs.drain(..));
    }

    /// The socket, and where datagrams of the session go.
    pub(crate) fn way(&self) -> Option<(Arc<UdpSocket>, SocketAddr)> {
        let (index, to) = self.nominated?;
        Some((self.sockets.get(index)?.socket.clone(), to))
    }
}

#[cfg(test)]
mod tests;
