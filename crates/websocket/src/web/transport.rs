//! The transport: dials. A browser cannot listen.

use std::{
    future::{Future, Pending, poll_fn},
    pin::Pin,
    task::{Context, Poll},
};

use futures::future::{Either, select};
use futures_timer::Delay;
use libp2p_core::{
    multiaddr::Multiaddr,
    transport::{DialOpts, ListenerId, TransportError, TransportEvent},
};
use send_wrapper::SendWrapper;

use super::{connection::Connection, socket::Socket};
use crate::{Error, address, limits::CONNECT_TIMEOUT};

/// The browser's WebSocket transport; its connections are plain bytes.
#[derive(Debug, Default)]
pub struct Transport {
    _private: (),
}

impl Transport {
    /// A transport.
    pub fn new() -> Self {
        Self::default()
    }
}

impl libp2p_core::Transport for Transport {
    type Output = Connection;
    type Error = Error;
    type ListenerUpgrade = Pending<Result<Self::Output, Self::Error>>;
    type Dial = Pin<Box<dyn Future<Output = Result<Self::Output, Self::Error>> + Send>>;

    fn listen_on(
        &mut self,
        _: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Self::Error>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        let url = (!options.role.is_listener())
            .then(|| address::url(&address))
            .flatten()
            .ok_or(TransportError::MultiaddrNotSupported(address))?;
        Ok(Box::pin(SendWrapper::new(connect(url))))
    }

    fn poll(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Poll::Pending
    }
}

/// Connects. Dropped before, it leaves nothing behind: the socket closes with it.
async fn connect(url: String) -> Result<Connection, Error> {
    let socket = Socket::new(&url)?;
    let opened = poll_fn(|cx| {
        if socket.is_open() {
            Poll::Ready(Ok(()))
        } else if socket.state().is_over() {
            Poll::Ready(Err(Error::ConnectFailed))
        } else {
            socket.set_reader(cx.waker());
            Poll::Pending
        }
    });
    match select(opened, Delay::new(CONNECT_TIMEOUT)).await {
        Either::Left((result, _)) => result?,
        Either::Right(_) => return Err(Error::ConnectTimeout),
    }
    Ok(Connection::new(socket))
}
