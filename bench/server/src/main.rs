//! `mooring-server` as it ships, with the benchmarks' protocol added (see [`bulk`]).
//!
//! Prints its full multiaddrs on stdout, one a line, then runs until SIGINT, SIGTERM or the end of
//! its stdin.

mod bulk;
mod end;

use std::net::Ipv4Addr;

use anyhow::Result;
use clap::Parser;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use mooring_server::{Config, Server};
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
    end::asked_for().await?;
    serving.abort();
    server.shutdown().await;
    Ok(())
}
