//! Streams between two native ends.
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing
)]

mod native_common;

use futures::{AsyncReadExt, AsyncWriteExt};
use mooring_webrtc::native::Version;
use native_common::*;
use sha2::{Digest, Sha256};

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_authenticate_and_echo() {
    let server = Server::start().await;
    let peer = server.peer;
    let address = server.echo();
    for version in [Version::V1, Version::V2] {
        let (found, mut connection) = try_dial(address.clone(), version).await.unwrap();
        assert_eq!(found, peer);
        let data = noise(100_000, 7);
        let stream = outbound(&mut connection).await.unwrap();
        assert!(soon("echo", exchange(stream, &data)).await.unwrap() == data);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_each_way_arrive_intact() {
    let address = Server::start().await.echo();
    let mut connection = dial(address).await;
    let data = noise(10_000_000, 3);
    let stream = outbound(&mut connection).await.unwrap();
    let back = soon("10 MB", exchange(stream, &data)).await.unwrap();
    assert_eq!(Sha256::digest(&back), Sha256::digest(&data));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_side_can_close_its_half_first() {
    let mut server = Server::start().await;
    let mut dialer = dial(server.address.clone()).await;
    let (_, mut listener) = server.accept().await;
    for dialer_first in [true, false] {
        let mut ours = outbound(&mut dialer).await.unwrap();
        ours.write_all(b"hello").await.unwrap();
        let mut theirs = soon("inbound", inbound(&mut listener)).await.unwrap();
        let (first, second) = if dialer_first {
            (&mut ours, &mut theirs)
        } else {
            (&mut theirs, &mut ours)
        };
        first.write_all(b"last words").await.unwrap();
        soon("half-close", first.close()).await.unwrap();
        let mut heard = Vec::new();
        soon("read to end", second.read_to_end(&mut heard))
            .await
            .unwrap();
        assert_eq!(
            heard.as_slice(),
            if dialer_first {
                b"hellolast words".as_slice()
            } else {
                b"last words"
            }
        );
        // The other half still works.
        let reply = noise(300_000, 9);
        let mut got = Vec::new();
        let send = async {
            second.write_all(&reply).await.unwrap();
            second.close().await.unwrap();
        };
        let (_, read) = soon("reply", async {
            futures::join!(send, first.read_to_end(&mut got))
        })
        .await;
        read.unwrap();
        assert!(got.ends_with(&reply));
        assert!(first.write_all(b"too late").await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_streams_open_and_close_at_once_and_again() {
    let address = Server::start().await.echo();
    let mut connection = dial(address).await;
    for round in 0..3_u64 {
        let mut streams = Vec::new();
        for _ in 0..200 {
            streams.push(soon("opening", outbound(&mut connection)).await.unwrap());
        }
        let exchanges = streams
            .into_iter()
            .enumerate()
            .map(|(n, stream)| async move {
                let data = noise(1_000 + n, round * 1_000 + n as u64);
                assert!(exchange(stream, &data).await.unwrap() == data);
            });
        soon("200 streams", futures::future::join_all(exchanges)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_streams_reuse_channel_ids() {
    let address = Server::start().await.echo();
    let mut connection = dial(address).await;
    for n in 0..3_000_u64 {
        let data = noise(100, n);
        let stream = soon("opening", outbound(&mut connection)).await.unwrap();
        assert_eq!(
            soon("echo", exchange(stream, &data)).await.unwrap(),
            data,
            "stream {n}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_streams_than_fit_wait_for_room() {
    let mut server = Server::start().await;
    let mut dialer = dial(server.address.clone()).await;
    let (_, listener) = server.accept().await;
    tokio::spawn(echo(listener));
    let mut held = Vec::new();
    while let Some(stream) = futures::FutureExt::now_or_never(outbound(&mut dialer)) {
        let mut stream = stream.unwrap();
        if held.len() % 64 == 0 {
            // The other end refuses those that it has not accepted in time.
            stream.write_all(b"?").await.unwrap();
            stream.flush().await.unwrap();
            soon("its turn", stream.read_exact(&mut [0])).await.unwrap();
        }
        held.push(stream);
        assert!(held.len() <= 2_000);
        tokio::task::yield_now().await;
    }
    assert!(held.len() > 256);
    let released = held.split_off(held.len() / 2);
    for stream in released {
        drop(stream);
    }
    let stream = soon("room", outbound(&mut dialer)).await.unwrap();
    assert_eq!(
        soon("echo", exchange(stream, b"after")).await.unwrap(),
        b"after"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_stream_is_reset_at_the_other_end() {
    let mut server = Server::start().await;
    let mut dialer = dial(server.address.clone()).await;
    let (_, mut listener) = server.accept().await;
    let mut ours = outbound(&mut dialer).await.unwrap();
    ours.write_all(b"hello").await.unwrap();
    let mut theirs = soon("inbound", inbound(&mut listener)).await.unwrap();
    let mut hello = [0; 5];
    theirs.read_exact(&mut hello).await.unwrap();
    drop(ours);
    let error = soon("reset", theirs.read_to_end(&mut Vec::new()))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert!(soon("write", theirs.write_all(b"x")).await.is_err());
    // The connection lives on.
    let mut ours = outbound(&mut dialer).await.unwrap();
    ours.write_all(b"again").await.unwrap();
    let mut theirs = soon("inbound", inbound(&mut listener)).await.unwrap();
    let mut again = [0; 5];
    theirs.read_exact(&mut again).await.unwrap();
    assert_eq!(&again, b"again");
}

/// libp2p's ping answers, flushes and drops its stream.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_flushed_before_a_drop_arrives_before_the_reset() {
    let mut server = Server::start().await;
    let mut dialer = dial(server.address.clone()).await;
    let (_, mut listener) = server.accept().await;
    for n in 0..100 {
        let mut ours = outbound(&mut dialer).await.unwrap();
        let data = noise(100_000, n);
        ours.write_all(&data).await.unwrap();
        ours.flush().await.unwrap();
        drop(ours);
        let mut theirs = soon("inbound", inbound(&mut listener)).await.unwrap();
        let mut got = vec![0; data.len()];
        soon("the data", theirs.read_exact(&mut got)).await.unwrap();
        assert!(got == data);
        let error = soon("the reset", theirs.read(&mut got)).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_the_listener_opens_work_too() {
    let mut server = Server::start().await;
    let dialer = dial(server.address.clone()).await;
    let (_, mut listener) = server.accept().await;
    tokio::spawn(echo(dialer));
    for n in 0..50 {
        let stream = outbound(&mut listener).await.unwrap();
        let data = noise(20_000, n);
        assert!(soon("echo", exchange(stream, &data)).await.unwrap() == data);
    }
}

/// Waits until a writer takes no more, and says how much it took.
async fn stands_still(written: &std::sync::atomic::AtomicUsize) -> usize {
    let mut before = 0;
    soon("the writer to stand still", async {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            let now = written.load(std::sync::atomic::Ordering::Relaxed);
            if now == before {
                break now;
            }
            before = now;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_slows_the_writer_and_loses_nothing() {
    let mut server = Server::start().await;
    let mut dialer = dial(server.address.clone()).await;
    let (_, mut listener) = server.accept().await;
    let mut ours = outbound(&mut dialer).await.unwrap();
    let data = noise(6_000_000, 5);
    let digest = Sha256::digest(&data);
    ours.write_all(&data[..1]).await.unwrap();
    let mut theirs = soon("inbound", inbound(&mut listener)).await.unwrap();
    let written = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(1));
    let counter = written.clone();
    let writer = tokio::spawn(async move {
        for chunk in data[1..].chunks(16_000) {
            ours.write_all(chunk).await.unwrap();
            counter.fetch_add(chunk.len(), std::sync::atomic::Ordering::Relaxed);
        }
        ours.close().await.unwrap();
    });
    // Nobody reads until the writer stands still.
    let before = stands_still(&written).await;
    assert!(
        before < 4_000_000,
        "{before} bytes were taken without a reader"
    );
    let mut got = Vec::new();
    soon("the rest", theirs.read_to_end(&mut got))
        .await
        .unwrap();
    assert_eq!(Sha256::digest(&got), digest);
    soon("the writer", writer).await.unwrap();
}

/// Windows hold back the one stream, and SCTP's, which is the connection's, stays open.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stands_still_holds_back_its_own_stream_alone() {
    let mut server = Server::start().await;
    let mut dialer = dial(server.address.clone()).await;
    let (_, mut listener) = server.accept().await;
    let mut flooding = outbound(&mut dialer).await.unwrap();
    flooding.write_all(b"x").await.unwrap();
    let mut unread = soon("inbound", inbound(&mut listener)).await.unwrap();
    let echoing = tokio::spawn(echo(listener));
    let data = noise(8_000_000, 7);
    let digest = Sha256::digest(&data);
    let written = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = written.clone();
    let flood = tokio::spawn(async move {
        for chunk in data.chunks(16_000) {
            flooding.write_all(chunk).await.unwrap();
            counter.fetch_add(chunk.len(), std::sync::atomic::Ordering::Relaxed);
        }
        flooding.close().await.unwrap();
    });
    let stopped = stands_still(&written).await;
    assert!(stopped < 2_000_000, "{stopped} bytes without a reader");
    // A connection whose window was full would answer none of these before the stream is reset, after 10 s.
    for n in 0..20 {
        let data = noise(10_000, n);
        let stream = outbound(&mut dialer).await.unwrap();
        assert!(soon("echo", exchange(stream, &data)).await.unwrap() == data);
    }
    assert_eq!(stands_still(&written).await, stopped);
    let mut got = Vec::new();
    soon("all of it", unread.read_to_end(&mut got))
        .await
        .unwrap();
    assert_eq!(Sha256::digest(&got[1..]), digest);
    soon("the writer", flood).await.unwrap();
    echoing.abort();
}

/// An echo stands still in both directions when nobody reads what comes back, and goes on when somebody does.
#[tokio::test(flavor = "multi_thread")]
async fn an_echo_that_nobody_reads_goes_on_once_it_is_read() {
    let address = Server::start().await.echo();
    let mut connection = dial(address).await;
    let (mut read, mut write) = outbound(&mut connection).await.unwrap().split();
    let data = noise(20_000_000, 4);
    let digest = Sha256::digest(&data);
    let written = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = written.clone();
    let writer = tokio::spawn(async move {
        for chunk in data.chunks(16_000) {
            write.write_all(chunk).await.unwrap();
            counter.fetch_add(chunk.len(), std::sync::atomic::Ordering::Relaxed);
        }
        write.close().await.unwrap();
    });
    let stopped = stands_still(&written).await;
    assert!(stopped < 5_000_000, "{stopped} bytes without a reader");
    let mut got = Vec::new();
    soon("all of it", read.read_to_end(&mut got)).await.unwrap();
    assert_eq!(Sha256::digest(&got), digest);
    soon("the writer", writer).await.unwrap();
}

/// An abandoned download fills the connection's window; dropping it must cost that stream and no other.
#[tokio::test]
async fn dropping_a_stream_that_nobody_read_leaves_the_connection_alone() {
    let mut server = Server::start().await;
    let mut dialer = dial(server.address.clone()).await;
    let (_, mut listener) = server.accept().await;
    let mut ours = outbound(&mut dialer).await.unwrap();
    ours.write_all(b"x").await.unwrap();
    let mut theirs = soon("inbound", inbound(&mut listener)).await.unwrap();
    let written = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(1));
    let counter = written.clone();
    let writer = tokio::spawn(async move {
        let chunk = noise(16_000, 7);
        while theirs.write_all(&chunk).await.is_ok() {
            counter.fetch_add(chunk.len(), std::sync::atomic::Ordering::Relaxed);
        }
    });
    stands_still(&written).await;
    drop(ours);
    soon("the writer to be told", writer).await.unwrap();

    let mut next = outbound(&mut dialer).await.unwrap();
    next.write_all(b"still here").await.unwrap();
    let closing = tokio::spawn(async move { next.close().await });
    let mut theirs = soon("the next stream", inbound(&mut listener))
        .await
        .unwrap();
    let mut got = Vec::new();
    soon("its data", theirs.read_to_end(&mut got))
        .await
        .unwrap();
    assert_eq!(got, b"still here");
    soon("its end", closing).await.unwrap().unwrap();
}
