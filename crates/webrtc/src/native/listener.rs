//! A listening socket: many connections on one UDP port, versions 1 and 2 of webrtc-direct.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use if_watch::IfEvent;
use if_watch::tokio::IfWatcher;
use libp2p_core::multiaddr::{Multiaddr, Protocol};
use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::driver::Input;
use super::stun::{Datagram, Request};
use super::table::{Check, Place, Table};
use super::{limits, socket};
use crate::core::certhash::Fingerprint;
use crate::core::ufrag::StunUsername;

/// A peer that has shown itself by a verified STUN request.
pub(crate) struct NewPeer {
    pub(crate) socket: Arc<UdpSocket>,
    pub(crate) runtime: Handle,
    pub(crate) remote: SocketAddr,
    pub(crate) inputs: mpsc::Receiver<Input>,
    pub(crate) place: Place,
}

/// What a listener reports.
pub(crate) enum Event {
    NewAddress(Multiaddr),
    AddressExpired(Multiaddr),
    Incoming {
        local: Multiaddr,
        remote: Multiaddr,
        peer: NewPeer,
    },
    Closed(io::Error),
}

pub(crate) struct Listener {
    address: SocketAddr,
    fingerprint: Fingerprint,
    /// Watches the interfaces when we listen on all of them.
    watcher: Option<IfWatcher>,
    known: Vec<IpAddr>,
    events: VecDeque<Event>,
    peers: mpsc::Receiver<NewPeer>,
    task: AbortHandle,
}

impl Listener {
    /// Binds. Must run inside a tokio runtime.
    pub(crate) fn bind(
        address: SocketAddr,
        fingerprint: Fingerprint,
        table: Table,
    ) -> io::Result<Self> {
        let socket = socket::bind(address)?;
        let address = socket.local_addr()?;
        let watcher = if address.ip().is_unspecified() {
            Some(IfWatcher::new()?)
        } else {
            None
        };
        let (new_peers, peers) = mpsc::channel(limits::ACCEPT_QUEUE);
        let task = Task {
            socket,
            table,
            new_peers,
            runtime: Handle::current(),
        };
        let task = tokio::spawn(task.run()).abort_handle();
        let mut listener = Self {
            address,
            fingerprint,
            watcher,
            known: Vec::new(),
            events: VecDeque::new(),
            peers,
            task,
        };
        if listener.watcher.is_none() {
            let address = listener.multiaddr(address.ip());
            listener.events.push_back(Event::NewAddress(address));
        }
        Ok(listener)
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(event);
        }
        while let Some(Poll::Ready(event)) = self
            .watcher
            .as_mut()
            .map(|watcher| watcher.poll_if_event(cx))
        {
            match event {
                Ok(IfEvent::Up(net)) => {
                    let ip = net.addr();
                    if ip.is_ipv4() == self.address.is_ipv4() && !self.known.contains(&ip) {
                        self.known.push(ip);
                        return Poll::Ready(Event::NewAddress(self.multiaddr(ip)));
                    }
                }
                Ok(IfEvent::Down(net)) => {
                    let ip = net.addr();
                    if let Some(at) = self.known.iter().position(|known| *known == ip) {
                        self.known.swap_remove(at);
                        return Poll::Ready(Event::AddressExpired(self.multiaddr(ip)));
                    }
                }
                Err(error) => {
                    // The addresses known so far go on working.
                    tracing::warn!(%error, "cannot watch the network interfaces any more");
                    self.watcher = None;
                }
            }
        }
        match self.peers.poll_recv(cx) {
            Poll::Ready(Some(peer)) => Poll::Ready(Event::Incoming {
                local: self.multiaddr(self.address.ip()),
                remote: multiaddr(peer.remote),
                peer,
            }),
            Poll::Ready(None) => Poll::Ready(Event::Closed(io::Error::other(
                "the listening task has ended",
            ))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn multiaddr(&self, ip: IpAddr) -> Multiaddr {
        multiaddr(SocketAddr::new(ip, self.address.port()))
            .with(Protocol::Certhash(self.fingerprint.to_multihash()))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Connections share the socket and the table, but without this task nothing reaches them any more, and they
        // end by silence unless closed before.
        self.task.abort();
    }
}

/// `/ip4|ip6/…/udp/…/webrtc-direct`.
fn multiaddr(address: SocketAddr) -> Multiaddr {
    Multiaddr::empty()
        .with(address.ip().into())
        .with(Protocol::Udp(address.port()))
        .with(Protocol::WebRTCDirect)
}

struct Task {
    socket: Arc<UdpSocket>,
    table: Table,
    new_peers: mpsc::Sender<NewPeer>,
    runtime: Handle,
}

impl Task {
    async fn run(self) {
        let mut buffer = BytesMut::zeroed(limits::MAX_DATAGRAM);
        loop {
            match self.socket.recv_from(&mut buffer).await {
                Ok((length, from)) => {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    if let Some(answer) = self.handle(datagram, from) {
                        socket::send(&self.socket, &answer, from).await;
                    }
                }
                // Linux reports ICMP errors of what we sent to others here.
                Err(error) => {
                    tracing::trace!(%error, "receiving failed");
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Returns what to send back.
    fn handle(&self, datagram: &[u8], from: SocketAddr) -> Option<Bytes> {
        match Datagram::parse(datagram) {
            Datagram::Dtls(data) => {
                self.table
                    .deliver(from, Input::Dtls(Bytes::copy_from_slice(data)));
                None
            }
            Datagram::Request(request) => self.check(&request, from),
            Datagram::Response(_) | Datagram::Other => {
                self.table.counters().count_ignored();
                None
            }
        }
    }

    fn check(&self, request: &Request<'_>, from: SocketAddr) -> Option<Bytes> {
        let name = format!("{}:{}", request.receiver_ufrag, request.sender_ufrag);
        // The server's password is the ufrag that the client made up for it, in both versions.
        let verified =
            StunUsername::parse(name.as_bytes()).is_ok() && request.verify(request.receiver_ufrag);
        if !verified {
            self.table.counters().count_unverified();
            return None;
        }
        let permit = self.new_peers.try_reserve().ok();
        match self
            .table
            .check(&name, from, request.nominates(), permit.is_some())
        {
            Check::Known => {}
            Check::New(place, inputs) => {
                let peer = NewPeer {
                    socket: self.socket.clone(),
                    runtime: self.runtime.clone(),
                    remote: from,
                    inputs,
                    place,
                };
                permit?.send(peer);
            }
            Check::Refused => return None,
        }
        request.answer(from, request.receiver_ufrag)
    }
}
