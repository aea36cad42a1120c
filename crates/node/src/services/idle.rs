//! A stream that fails when nothing moves for too long.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::{AsyncRead, AsyncWrite};
use futures_timer::Delay;
use web_time::Instant;

/// Fails whatever waits once neither direction has moved for the limit.
#[derive(Debug)]
pub(super) struct Idle<S> {
    stream: S,
    limit: Duration,
    moved: Instant,
    timer: Delay,
}

impl<S> Idle<S> {
    pub(super) fn new(stream: S, limit: Duration) -> Self {
        Self {
            stream,
            limit,
            moved: Instant::now(),
            timer: Delay::new(limit),
        }
    }

    /// What the stream said, or an error when it has said nothing for too long.
    fn watch<T>(&mut self, cx: &mut Context<'_>, said: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if said.is_ready() {
            self.moved = Instant::now();
            return said;
        }
        // The timer is not set anew with every byte, but only when it finds that something has moved.
        while Pin::new(&mut self.timer).poll(cx).is_ready() {
            let left = self.limit.saturating_sub(self.moved.elapsed());
            if left.is_zero() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.timer.reset(left);
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Idle<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let said = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.watch(cx, said)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Idle<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let said = Pin::new(&mut self.stream).poll_write(cx, buffer);
        self.watch(cx, said)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let said = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(cx, said)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let said = Pin::new(&mut self.stream).poll_close(cx);
        self.watch(cx, said)
    }
}

#[cfg(test)]
mod tests {
    use futures::{AsyncReadExt, AsyncWriteExt, executor::block_on};

    use super::*;

    const LIMIT: Duration = Duration::from_millis(30);

    /// Reads a byte after each pause, as often as there are any; writes go nowhere.
    struct Trickle {
        pauses: Vec<Delay>,
    }

    impl AsyncRead for Trickle {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            _: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            let Some(pause) = self.pauses.last_mut() else {
                return Poll::Pending;
            };
            std::task::ready!(Pin::new(pause).poll(cx));
            self.pauses.pop();
            if let Some(next) = self.pauses.last_mut() {
                next.reset(LIMIT / 3);
            }
            Poll::Ready(Ok(1))
        }
    }

    impl AsyncWrite for Trickle {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    fn trickle(bytes: usize) -> Idle<Trickle> {
        let pauses = (0..bytes).map(|_| Delay::new(LIMIT / 3)).collect();
        Idle::new(Trickle { pauses }, LIMIT)
    }

    #[test]
    fn a_stream_at_rest_fails_in_either_direction() {
        block_on(async {
            let error = trickle(0).read(&mut [0]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            let error = trickle(0).write(&[0]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            let error = trickle(0).close().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        });
    }

    #[test]
    fn a_slow_stream_goes_on_until_it_rests() {
        block_on(async {
            let mut stream = trickle(9);
            let begun = Instant::now();
            for _ in 0..9 {
                assert_eq!(stream.read(&mut [0]).await.unwrap(), 1);
            }
            assert!(begun.elapsed() > LIMIT * 2);
            let error = stream.read(&mut [0]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        });
    }
}
