//! The dialer's side of ICE: one socket, one remote address, we control.
//!
//! The listener's side needs no state: it is ICE-lite, answers checks and follows nominations (`listener`).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::net::UdpSocket;

use super::driver::Input;
use super::stun::{self, Datagram, Transaction};
use super::{limits, socket};

/// ICE credentials of both ends.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub(crate) local_ufrag: String,
    pub(crate) local_password: String,
    pub(crate) remote_ufrag: String,
    pub(crate) remote_password: String,
}

pub(crate) struct DialerPath {
    credentials: Credentials,
    remote: SocketAddr,
    tie_breaker: u64,
    outstanding: VecDeque<Transaction>,
    /// The remote has answered a check.
    valid: bool,
    next_check: Instant,
    retry: Duration,
    buffer: BytesMut,
}

impl DialerPath {
    pub(crate) fn new(credentials: Credentials, remote: SocketAddr, now: Instant) -> Self {
        Self {
            credentials,
            remote,
            tie_breaker: rand::random(),
            outstanding: VecDeque::new(),
            valid: false,
            next_check: now,
            retry: limits::FIRST_CHECK_RETRY,
            buffer: BytesMut::new(),
        }
    }

    /// Checks the path until the remote has answered. Does not give up by itself.
    pub(crate) async fn establish(&mut self, socket: &UdpSocket) {
        let mut inputs = Vec::new();
        while !self.valid {
            if let Some(check) = self.handle_timeout(Instant::now()) {
                socket::send(socket, &check, self.remote).await;
            }
            let at = self.poll_timeout();
            tokio::select! {
                () = self.receive(socket, &mut inputs) => {}
                () = tokio::time::sleep_until(at.into()) => {}
            }
            // DTLS has not begun, so nothing that came means anything yet.
            inputs.clear();
        }
    }

    pub(crate) fn poll_timeout(&self) -> Instant {
        self.next_check
    }

    /// A check to send, if one is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Bytes> {
        if now < self.next_check {
            return None;
        }
        let wait = if self.valid {
            limits::CHECK_INTERVAL
        } else {
            self.retry
        };
        self.retry = self.retry.saturating_mul(2).min(limits::MAX_CHECK_RETRY);
        self.next_check = now.checked_add(wait)?;
        let transaction = Transaction::new();
        if self.outstanding.len() >= limits::MAX_OUTSTANDING_CHECKS {
            self.outstanding.pop_front();
        }
        self.outstanding.push_back(transaction);
        let Credentials {
            local_ufrag,
            remote_ufrag,
            remote_password,
            ..
        } = &self.credentials;
        stun::check(
            transaction,
            self.tie_breaker,
            &format!("{remote_ufrag}:{local_ufrag}"),
            remote_password,
        )
    }

    /// Waits for datagrams from the remote, answers its checks, and gives the rest to `inputs`.
    pub(crate) async fn receive(&mut self, socket: &UdpSocket, inputs: &mut Vec<Input>) {
        self.buffer.resize(limits::MAX_DATAGRAM, 0);
        let Ok((length, from)) = socket.recv_from(&mut self.buffer).await else {
            // ICMP errors of earlier sends surface here; the remote's silence decides, not they.
            tokio::task::yield_now().await;
            return;
        };
        self.handle(socket, length, from, inputs).await;
        while inputs.len() < limits::DATAGRAM_BATCH {
            self.buffer.resize(limits::MAX_DATAGRAM, 0);
            let Ok((length, from)) = socket.try_recv_from(&mut self.buffer) else {
                return;
            };
            self.handle(socket, length, from, inputs).await;
        }
    }

    async fn handle(
        &mut self,
        socket: &UdpSocket,
        length: usize,
        from: SocketAddr,
        inputs: &mut Vec<Input>,
    ) {
        if from != self.remote {
            return;
        }
        let datagram = self.buffer.get(..length).unwrap_or_default();
        match Datagram::parse(datagram) {
            Datagram::Dtls(data) => inputs.push(Input::Dtls(Bytes::copy_from_slice(data))),
            Datagram::Request(request) => {
                let Credentials {
                    local_ufrag,
                    local_password,
                    ..
                } = &self.credentials;
                if request.receiver_ufrag == local_ufrag && request.verify(local_password) {
                    if let Some(answer) = request.answer(from, local_password) {
                        socket::send(socket, &answer, from).await;
                    }
                    inputs.push(Input::Check {
                        from,
                        nominated: false,
                    });
                }
            }
            Datagram::Response(response) => {
                let known = self
                    .outstanding
                    .iter()
                    .position(|sent| *sent == response.transaction());
                if let Some(at) = known
                    && response.verify(&self.credentials.remote_password)
                {
                    self.outstanding.remove(at);
                    self.valid = true;
                    inputs.push(Input::Check {
                        from,
                        nominated: false,
                    });
                }
            }
            Datagram::Other => {}
        }
    }
}
