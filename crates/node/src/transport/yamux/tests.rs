use std::sync::Arc;

use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt, future::poll_fn};
use proptest::prelude::*;

use super::ledger::{Frames, Ledger};
use super::*;
use crate::limits::{YAMUX_FRAME, YAMUX_UNREAD};

fn frame(kind: u8, flags: u16, id: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, kind];
    bytes.extend(flags.to_be_bytes());
    bytes.extend(id.to_be_bytes());
    bytes.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

fn frames() -> (Arc<Ledger>, Frames) {
    let ledger = Arc::new(Ledger::default());
    let frames = Frames {
        ledger: Arc::clone(&ledger),
        header: Vec::new(),
        stream: 0,
        body: 0,
        ending: None,
    };
    (ledger, frames)
}

#[test]
fn a_stream_ends_with_the_last_byte_of_its_last_frame() {
    let (ledger, mut frames) = frames();
    ledger.open(1);
    let bytes = frame(0, 4, 1, b"the end");
    let (last, but_last) = bytes.split_last().unwrap();
    for byte in but_last {
        frames.feed(&[*byte]);
        assert!(!ledger.has_ended(1));
    }
    frames.feed(&[*last]);
    assert!(ledger.has_ended(1));
}

#[test]
fn a_reset_is_no_end() {
    let (ledger, mut frames) = frames();
    ledger.open(1);
    frames.feed(&frame(1, 8, 1, b""));
    assert!(!ledger.has_ended(1));
}

#[test]
fn a_stream_that_begins_and_ends_in_one_frame() {
    let (ledger, mut frames) = frames();
    frames.feed(&frame(0, 1 | 4, 2, b"all"));
    ledger.open(2);
    assert!(ledger.has_ended(2));
    ledger.forget(2);
    assert_eq!(ledger.len(), 0);
}

#[test]
fn a_flood_of_streams_is_bounded() {
    let (ledger, mut frames) = frames();
    for id in 0..10_000 {
        frames.feed(&frame(1, 1, id, b""));
        // The end of what never began leaves nothing.
        frames.feed(&frame(1, 4, id + 20_000, b""));
    }
    assert!(ledger.len() <= 2 * crate::limits::YAMUX_STREAMS);
    // One without a place is on the safe side.
    frames.feed(&frame(1, 4, 9_999, b""));
    assert!(!ledger.has_ended(9_999));
}

#[test]
fn what_is_read_or_dropped_costs_no_more() {
    let (ledger, mut frames) = frames();
    frames.feed(&frame(0, 1, 1, b"0123456789"));
    for _ in 0..9 {
        frames.feed(&frame(0, 0, 1, b"0123456789"));
    }
    frames.feed(&frame(0, 1, 3, b"other"));
    // For a stream that is not there: yamux drops it.
    frames.feed(&frame(0, 0, 5, b"nobody"));
    assert_eq!(ledger.charged(), 105 + 11 * YAMUX_FRAME);
    ledger.read(1, 50);
    assert_eq!(ledger.charged(), 55 + 6 * YAMUX_FRAME);
    ledger.read(1, 50);
    assert_eq!(ledger.charged(), 5 + YAMUX_FRAME);
    // Empty frames have no bytes that could be read: they go when there is nothing to read.
    frames.feed(&frame(0, 0, 1, b""));
    assert_eq!(ledger.charged(), 5 + 2 * YAMUX_FRAME);
    ledger.read(1, 0);
    assert_eq!(ledger.charged(), 5 + YAMUX_FRAME);
    ledger.forget(3);
    assert_eq!(ledger.charged(), 0);
}

/// A pipe in memory, with the traits of `futures`.
struct Duplex(tokio::io::DuplexStream);

impl AsyncRead for Duplex {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buf = tokio::io::ReadBuf::new(buf);
        let read = tokio::io::AsyncRead::poll_read(Pin::new(&mut self.0), cx, &mut buf);
        read.map_ok(|()| buf.filled().len())
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        tokio::io::AsyncWrite::poll_write(Pin::new(&mut self.0), cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        tokio::io::AsyncWrite::poll_flush(Pin::new(&mut self.0), cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        tokio::io::AsyncWrite::poll_shutdown(Pin::new(&mut self.0), cx)
    }
}

fn pair() -> (Muxer<Duplex>, Muxer<Duplex>) {
    let (a, b) = tokio::io::duplex(64 * 1024);
    (
        Muxer::new(Duplex(a), yamux::Mode::Client),
        Muxer::new(Duplex(b), yamux::Mode::Server),
    )
}

#[tokio::test]
async fn streams_that_nobody_reads_hold_no_more_than_the_bound_and_lose_nothing() {
    let (mut client, mut server) = pair();
    let ledger = Arc::clone(&server.ledger);
    let mut writers = Vec::new();
    let mut readers = Vec::new();
    let body = vec![7; WINDOW];
    // Far more than the bound, each within its own window.
    let streams = 2 * YAMUX_UNREAD / WINDOW;
    for _ in 0..streams {
        let mut stream = poll_fn(|cx| Pin::new(&mut client).poll_outbound(cx))
            .await
            .unwrap();
        let body = body.clone();
        writers.push(tokio::spawn(async move {
            stream.write_all(&body).await.unwrap();
            stream.close().await.unwrap();
            stream
        }));
    }
    tokio::spawn(async move {
        let _ = poll_fn(|cx| Pin::new(&mut client).poll(cx)).await;
    });
    let mut most = 0;
    let mut quiet = 0;
    while quiet < 50 {
        tokio::task::yield_now().await;
        let before = ledger.charged();
        poll_fn(|cx| {
            let _ = Pin::new(&mut server).poll(cx)?;
            while let Poll::Ready(stream) = Pin::new(&mut server).poll_inbound(cx) {
                readers.push(stream?);
            }
            Poll::Ready(Ok::<_, io::Error>(()))
        })
        .await
        .unwrap();
        most = most.max(ledger.charged());
        quiet = if before == ledger.charged() {
            quiet + 1
        } else {
            0
        };
    }
    assert!(most >= YAMUX_UNREAD, "{most}");
    assert!(most < YAMUX_UNREAD + 2 * WINDOW, "{most} bytes were held");
    // Everybody reads, and everything is there.
    let mut reading = futures::stream::FuturesUnordered::new();
    let mut done = 0;
    for stream in readers {
        reading.push(read_all(stream));
    }
    while done < streams {
        futures::select_biased! {
            length = reading.select_next_some() => {
                assert_eq!(length, WINDOW);
                done += 1;
            }
            stream = inbound(&mut server).fuse() => reading.push(read_all(stream)),
        }
    }
    drop(reading);
    assert_eq!(ledger.charged(), 0);
    for writer in writers {
        assert!(writer.await.is_ok());
    }
}

async fn read_all(mut stream: Stream) -> usize {
    let mut got = Vec::new();
    stream.read_to_end(&mut got).await.unwrap();
    got.len()
}

async fn inbound(server: &mut Muxer<Duplex>) -> Stream {
    poll_fn(|cx| {
        let _ = Pin::new(&mut *server).poll(cx)?;
        Pin::new(&mut *server).poll_inbound(cx)
    })
    .await
    .unwrap()
}

proptest! {
    /// However the bytes are cut, the same streams have ended.
    #[test]
    fn cuts_do_not_matter(
        list in prop::collection::vec((0_u8..4, 0_u16..16, 0_u32..6, prop::collection::vec(any::<u8>(), 0..40)), 0..20),
        size in 1_usize..50,
    ) {
        let bytes: Vec<u8> = list
            .iter()
            // Only data frames have a body.
            .flat_map(|(kind, flags, id, body)| {
                frame(*kind, *flags, *id, if *kind == 0 { body } else { b"" })
            })
            .collect();
        let (whole, mut one) = frames();
        let (cut, mut many) = frames();
        one.feed(&bytes);
        bytes.chunks(size).for_each(|chunk| many.feed(chunk));
        for id in 0..6 {
            prop_assert_eq!(whole.has_ended(id), cut.has_ended(id));
        }
    }

    /// No bytes make it panic.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        frames().1.feed(&bytes);
    }
}
