//! Two native ends on loopback: how fast, in one table.
//!
//! `native_speed [MEGABYTES]` measures between two ends of this process. `native_speed dial MULTIADDR` dials a server
//! of any implementation and says what its multistream-select answers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing
)]

#[cfg(not(target_arch = "wasm32"))]
#[path = "../tests/native_common/mod.rs"]
mod native_common;

#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(not(target_arch = "wasm32"))]
#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("dial") => measure::remote(arguments.next().expect("a multiaddr")).await,
        megabytes => measure::here(megabytes.map_or(100, |text| text.parse().unwrap())).await,
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod measure {
    use std::time::Instant;

    use futures::{AsyncReadExt, AsyncWriteExt};
    use mooring_webrtc::native::Version;

    use super::native_common::*;

    pub async fn remote(address: String) {
        for version in [Version::V2, Version::V1] {
            let start = Instant::now();
            let (peer, mut connection) = try_dial(address.parse().unwrap(), version).await.unwrap();
            println!("{version:?}: {peer} after {:?}", start.elapsed());
            let mut stream = outbound(&mut connection).await.unwrap();
            let hello = b"\x13/multistream/1.0.0\n";
            stream.write_all(hello).await.unwrap();
            let mut answer = [0; 20];
            soon("an answer", stream.read_exact(&mut answer))
                .await
                .unwrap();
            println!("  {}", String::from_utf8_lossy(&answer[1..]).trim());
            soon("closing", stream.close()).await.unwrap();
        }
    }

    pub async fn here(megabytes: usize) {
        let mut server = Server::start().await;
        let start = Instant::now();
        let mut dialer = dial(server.address.clone()).await;
        println!(
            "dial                 {:8.1} ms",
            start.elapsed().as_secs_f64() * 1e3
        );
        let (_, mut listener) = server.accept().await;
        let total = megabytes * 1_000_000;
        for (name, dialer_sends) in [("up", true), ("down", false)] {
            let (sender, receiver) = if dialer_sends {
                (&mut dialer, &mut listener)
            } else {
                (&mut listener, &mut dialer)
            };
            let mut out = outbound(sender).await.unwrap();
            out.write_all(b"x").await.unwrap();
            let mut into = inbound(receiver).await.unwrap();
            let cpu = cpu_seconds();
            let start = Instant::now();
            let sending = tokio::spawn(async move {
                let block = noise(64 * 1024, 1);
                let mut left = total;
                while left > 0 {
                    let part = left.min(block.len());
                    out.write_all(&block[..part]).await.unwrap();
                    left -= part;
                }
                out.close().await.unwrap();
            });
            let mut buffer = vec![0; 64 * 1024];
            let mut got = 0;
            loop {
                match into.read(&mut buffer).await.unwrap() {
                    0 => break,
                    length => got += length,
                }
            }
            into.close().await.unwrap();
            sending.await.unwrap();
            assert_eq!(got, total + 1);
            let seconds = start.elapsed().as_secs_f64();
            println!(
                "{name:<20} {:8.1} MB/s, {:.2} CPU s per 100 MB, both ends",
                total as f64 / 1e6 / seconds,
                (cpu_seconds() - cpu) * 1e8 / total as f64
            );
        }
        tokio::spawn(echo(listener));
        let start = Instant::now();
        let mut streams = Vec::new();
        for _ in 0..200 {
            streams.push(outbound(&mut dialer).await.unwrap());
        }
        let exchanges = streams
            .into_iter()
            .map(|stream| async move { exchange(stream, &[7; 1024]).await.unwrap() });
        futures::future::join_all(exchanges).await;
        println!(
            "200 streams at once  {:8.1} ms",
            start.elapsed().as_secs_f64() * 1e3
        );
        let start = Instant::now();
        for _ in 0..2_000 {
            let stream = outbound(&mut dialer).await.unwrap();
            exchange(stream, &[7; 1024]).await.unwrap();
        }
        println!(
            "streams in sequence  {:8.0} a second",
            2_000.0 / start.elapsed().as_secs_f64()
        );
    }

    /// User and system time of this process, from Linux's `/proc`; 0 elsewhere.
    fn cpu_seconds() -> f64 {
        let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let after_name = text.rsplit(')').next().unwrap_or_default();
        let ticks: f64 = after_name
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|n| n.parse::<f64>().ok())
            .sum();
        ticks / 100.0
    }
}
