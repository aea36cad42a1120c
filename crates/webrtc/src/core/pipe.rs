//! An in-memory byte pipe for tests.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures::{channel::mpsc, prelude::*};

type Chunks = stream::Map<mpsc::UnboundedReceiver<Vec<u8>>, fn(Vec<u8>) -> io::Result<Vec<u8>>>;

/// One end of an in-memory byte pipe.
pub(crate) struct Pipe {
    to: mpsc::UnboundedSender<Vec<u8>>,
    from: stream::IntoAsyncRead<Chunks>,
}

pub(crate) fn pipe() -> (Pipe, Pipe) {
    let (a_to, b_from) = mpsc::unbounded();
    let (b_to, a_from) = mpsc::unbounded();
    let end = |to, from: mpsc::UnboundedReceiver<Vec<u8>>| Pipe {
        to,
        from: from
            .map(Ok as fn(Vec<u8>) -> io::Result<Vec<u8>>)
            .into_async_read(),
    };
    (end(a_to, a_from), end(b_to, b_from))
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.from).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = self.to.unbounded_send(buf.to_vec());
        Poll::Ready(sent.map(|()| buf.len()).map_err(io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.to.close_channel();
        Poll::Ready(Ok(()))
    }
}
