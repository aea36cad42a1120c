//! An open connection as bytes.

use std::{
    fmt,
    future::Future as _,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite};
use futures_timer::Delay;
use send_wrapper::SendWrapper;

use super::socket::Socket;
use crate::{
    Error,
    limits::{CLOSE_TIMEOUT, MESSAGE, SEND_HIGH_WATER, SEND_LOW_WATER, SEND_POLL},
    state::Read,
};

/// An open connection. Reading gives all that arrived before the remote closed, then its end; a lost connection is an
/// error behind what arrived. Dropping it closes it without waiting.
pub struct Connection {
    socket: SendWrapper<Socket>,
    /// Runs while a writer waits.
    room: Option<Delay>,
    /// Runs since it was closed here.
    closing: Option<Delay>,
}

impl Connection {
    pub(super) fn new(socket: Socket) -> Self {
        Self {
            socket: SendWrapper::new(socket),
            room: None,
            closing: None,
        }
    }

    fn send_error(&self) -> Option<Error> {
        self.socket
            .state()
            .send_error()
            .or_else(|| self.closing.is_some().then_some(Error::ClosedHere))
    }

    /// Waits while the browser holds too much.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let limit = if self.room.is_some() {
                SEND_LOW_WATER
            } else {
                SEND_HIGH_WATER
            };
            if self.socket.buffered() < limit {
                break;
            }
            let timer = self.room.get_or_insert_with(|| Delay::new(SEND_POLL));
            if Pin::new(&mut *timer).poll(cx).is_pending() {
                return Poll::Pending;
            }
            timer.reset(SEND_POLL);
        }
        self.room = None;
        Poll::Ready(())
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = self.socket.state().read(buffer);
        match read {
            Read::Bytes(count) => Poll::Ready(Ok(count)),
            Read::End => Poll::Ready(Ok(0)),
            Read::Failed(error) => Poll::Ready(Err(error.into())),
            Read::Nothing => {
                self.socket.set_reader(cx.waker());
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(error) = self.send_error() {
            return Poll::Ready(Err(error.into()));
        }
        if self.poll_room(cx).is_pending() {
            // An end is no reason to wait for room.
            self.socket.set_writer(cx.waker());
            return Poll::Pending;
        }
        let message = buffer.get(..buffer.len().min(MESSAGE)).unwrap_or_default();
        if !message.is_empty() {
            self.socket.send(message)?;
        }
        Poll::Ready(Ok(message.len()))
    }

    /// The browser sends what it has by itself; there is nothing to wait for.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.send_error() {
            Some(error) => Poll::Ready(Err(error.into())),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Closes behind all that was written; a remote that does not answer is waited for only so long.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(result) = self.socket.state().closed() {
            return Poll::Ready(result.map_err(io::Error::from));
        }
        if self.closing.is_none() {
            self.socket.close();
        }
        self.socket.set_writer(cx.waker());
        let timer = self
            .closing
            .get_or_insert_with(|| Delay::new(CLOSE_TIMEOUT));
        Pin::new(timer)
            .poll(cx)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}
