//! `mooring-server` as it ships, with the benchmarks' protocol added (see [`bulk`]).
//!
//! Prints its full multiaddrs on stdout, one a line, then runs until SIGINT, SIGTERM or the end of
//! its stdin.

mod bulk;

use std::net::Ipv4Addr;

use anyhow::Result;
use clap::Parser;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use mooring_server::{Config, Server};
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

#[derive(Parser)]
struct Arguments {
    /// IPv4 address to listen on
    #[arg(long, default_value_t = Ipv4Addr::LOCALHOST)]
    address: Ipv4Addr,
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let mut config = Config::in_memory();
    let udp = Multiaddr::from(arguments.address).with(Protocol::Udp(0));
    config.listen = vec![udp.with(Protocol::WebRTCDirect)];
    config.services.echo = true;
    let server = Server::start(config).await?;
    let streams = server.node().accept(vec![bulk::PROTOCOL]).await?;
    let serving = tokio::spawn(bulk::serve(streams));
    for address in server.addresses().await? {
        println!("{address}");
    }
    asked_to_end().await?;
    serving.abort();
    server.shutdown().await;
    Ok(())
}

async fn asked_to_end() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut rest = Vec::new();
    let mut stdin = tokio::io::stdin();
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        // Whoever started us is gone.
        _ = stdin.read_to_end(&mut rest) => {}
    }
    Ok(())
}
