//! Dials a multiaddr, pings it and opens echo streams: `dial [--sequential N] [--concurrent N] MULTIADDR`.
//!
//! Prints one line of JSON, like the go-libp2p and js-libp2p peers of the interoperability tests,
//! and ends with 0 when all streams came back intact.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, future::try_join, stream};
use libp2p::{Multiaddr, PeerId, StreamProtocol, identity::Keypair};
use mooring_server::node::{Config, DialRequest, Handle, OpenStream, Scope, new};
use serde::Serialize;

const ECHO: StreamProtocol = StreamProtocol::new("/mooring/echo/1.0.0");

#[derive(Parser)]
struct Args {
    /// Pings to send.
    #[arg(long, default_value_t = 3)]
    pings: usize,
    /// Echo streams one after another.
    #[arg(long, default_value_t = 0)]
    sequential: usize,
    /// Echo streams all at once.
    #[arg(long, default_value_t = 0)]
    concurrent: usize,
    /// Largest payload of an echo stream.
    #[arg(long, default_value_t = 20_000)]
    bytes: usize,
    /// Seconds for each request.
    #[arg(long, default_value_t = 60)]
    timeout: u64,
    /// Where to; ends in /p2p/<peer id>.
    address: Multiaddr,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    peer: String,
    address: String,
    dial_ms: f64,
    ping_ms: Vec<f64>,
    sequential: Streams,
    concurrent: Streams,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Streams {
    asked: usize,
    intact: usize,
    ms: f64,
    max_ms: f64,
    errors: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let mut report = Report::default();
    match run(&args, &mut report).await {
        Ok(()) => report.ok = true,
        Err(error) => report.error = Some(error),
    }
    match serde_json::to_string(&report) {
        Ok(line) => println!("{line}"),
        Err(error) => eprintln!("{error}"),
    }
    ExitCode::from(u8::from(!report.ok))
}

async fn run(args: &Args, report: &mut Report) -> Result<(), String> {
    let timeout = Duration::from_secs(args.timeout);
    let config = Config::client(Keypair::generate_ed25519());
    let (node, event_loop) = new(config).map_err(|error| error.to_string())?;
    tokio::spawn(event_loop.run());

    let begun = Instant::now();
    let connection = node
        .dial(DialRequest {
            peer: None,
            addresses: vec![args.address.clone()],
            owner: None,
            scope: Scope::PRIVATE,
            timeout,
        })
        .await
        .map_err(|error| format!("dial: {error}"))?;
    report.dial_ms = ms(begun.elapsed());
    report.peer = connection.peer.to_string();
    report.address = connection.remote_address.to_string();
    for _ in 0..args.pings {
        let rtt = node.ping(connection.peer).await;
        let rtt = rtt.map_err(|error| format!("ping: {error}"))?;
        report.ping_ms.push(ms(rtt));
    }
    let echo =
        |count, at_once| streams(&node, connection.peer, timeout, count, at_once, args.bytes);
    report.sequential = echo(args.sequential, 1).await;
    report.concurrent = echo(args.concurrent, args.concurrent).await;
    node.shutdown().await;
    for run in [&report.sequential, &report.concurrent] {
        if run.intact != run.asked {
            return Err("echo: not every stream came back intact".into());
        }
    }
    Ok(())
}

async fn streams(
    node: &Handle,
    peer: PeerId,
    timeout: Duration,
    count: usize,
    at_once: usize,
    bytes: usize,
) -> Streams {
    let begun = Instant::now();
    let mut report = Streams {
        asked: count,
        ..Streams::default()
    };
    let mut runs = stream::iter(0..count)
        .map(|index| async move {
            let begun = Instant::now();
            // From one byte to all of them, so that frames of every fill are seen.
            let size = index
                .saturating_mul(bytes)
                .checked_div(count)
                .unwrap_or_default()
                .saturating_add(1);
            let outcome = tokio::time::timeout(timeout, echo(node, peer, timeout, size)).await;
            let outcome = outcome.unwrap_or_else(|_| Err("out of time".into()));
            (index, outcome, ms(begun.elapsed()))
        })
        .buffer_unordered(at_once.max(1));
    while let Some((index, outcome, took)) = runs.next().await {
        report.max_ms = report.max_ms.max(took);
        match outcome {
            Ok(()) => report.intact = report.intact.saturating_add(1),
            // A few are enough to see what went wrong.
            Err(error) if report.errors.len() < 5 => {
                report.errors.push(format!("stream {index}: {error}"));
            }
            Err(_) => {}
        }
    }
    report.ms = ms(begun.elapsed());
    report
}

async fn echo(node: &Handle, peer: PeerId, timeout: Duration, size: usize) -> Result<(), String> {
    let opened = node
        .open_stream(OpenStream {
            peer,
            protocols: vec![ECHO],
            allow_relayed: true,
            dial: None,
            owner: None,
            timeout,
        })
        .await
        .map_err(|error| format!("open: {error}"))?;
    // No two places alike, so that a piece in the wrong place is seen.
    let sent: Vec<u8> = (0..).flat_map(u32::to_be_bytes).take(size).collect();
    let (mut read, mut write) = opened.stream.split();
    let mut received = Vec::with_capacity(size);
    try_join(
        async {
            write.write_all(&sent).await?;
            write.close().await
        },
        async { read.read_to_end(&mut received).await.map(drop) },
    )
    .await
    .map_err(|error| error.to_string())?;
    if received == sent {
        Ok(())
    } else {
        Err(format!(
            "{} bytes came back of {size}, or others",
            received.len()
        ))
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
