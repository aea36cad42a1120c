//! From start to end.

use std::io::Write;

use futures::StreamExt;
use libp2p::{Multiaddr, multiaddr::Protocol};
use mooring_server::{Config, Server, node::ListenerEvent};

/// Why it ended, when nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Start(#[from] mooring_server::Error),
    #[error("the node ended by itself")]
    Ended,
}

/// Runs a server until a signal ends it.
///
/// # Errors
/// [`Error`].
pub(crate) async fn run(config: Config) -> Result<(), Error> {
    let data_dir = config.data_dir.clone().unwrap_or_default();
    // Before the start: a signal that comes in the middle of it ends it in good order too.
    let mut signals = Signals::new();
    let server = Server::start(config).await?;
    tracing::info!(
        peer = %server.peer_id(),
        data_dir = %data_dir.display(),
        version = env!("CARGO_PKG_VERSION"),
        "started"
    );
    if let Some(address) = server.metrics_address() {
        tracing::info!(%address, "metrics at /metrics");
    }
    let outcome = tokio::select! {
        name = signals.next() => {
            tracing::info!(signal = name, "ending");
            Ok(())
        }
        () = server.ended() => Err(Error::Ended),
        () = print_addresses(&server) => Err(Error::Ended),
    };
    if outcome.is_ok() {
        // Who asks twice does not want to wait.
        tokio::select! {
            () = server.shutdown() => {}
            _ = signals.next() => {}
        }
        tracing::info!("ended");
    }
    outcome
}

/// Prints the addresses that the server was told others reach it at, and each that it begins to listen on, until it ends.
async fn print_addresses(server: &Server) {
    // Those already printed: after a reader falls behind, the list begins anew.
    let mut printed = std::collections::HashSet::new();
    for address in server.external_addresses() {
        if printed.insert(address.clone()) {
            print(address);
        }
    }
    while let Ok(mut listeners) = server.listeners().await {
        while let Some(event) = listeners.next().await {
            match event {
                ListenerEvent::New(address) if needs_zone(&address) => {
                    tracing::debug!(%address, "listening, but only reachable with a zone");
                }
                ListenerEvent::New(address) => {
                    if printed.insert(address.clone()) {
                        print(&address);
                    }
                }
                ListenerEvent::Expired(address) => {
                    printed.remove(&address);
                    tracing::info!(%address, "no longer listening");
                }
            }
        }
    }
}

fn print(address: &Multiaddr) {
    let mut stdout = std::io::stdout().lock();
    // A closed stdout is the reader's wish, and no reason to stop serving.
    let _ = writeln!(stdout, "{address}").and_then(|()| stdout.flush());
}

/// An IPv6 link-local address means nothing to another machine without the name of *its*
/// interface, so nobody could use the printed line.
fn needs_zone(address: &Multiaddr) -> bool {
    matches!(address.iter().next(), Some(Protocol::Ip6(ip)) if ip.is_unicast_link_local())
}

/// The signals that ask for an end.
struct Signals(std::pin::Pin<Box<dyn futures::Stream<Item = &'static str> + Send>>);

impl Signals {
    async fn next(&mut self) -> &'static str {
        match self.0.next().await {
            Some(name) => name,
            None => std::future::pending().await,
        }
    }

    #[cfg(unix)]
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let of = |kind, name| {
            // Without a handler the signal still ends the process, only less politely.
            signal(kind).ok().map(|signal| {
                futures::stream::unfold(signal, move |mut signal| async move {
                    signal.recv().await.map(|()| (name, signal))
                })
                .boxed()
            })
        };
        let streams = [
            of(SignalKind::interrupt(), "SIGINT"),
            of(SignalKind::terminate(), "SIGTERM"),
        ];
        Self(futures::stream::select_all(streams.into_iter().flatten()).boxed())
    }

    #[cfg(not(unix))]
    fn new() -> Self {
        Self(
            futures::stream::unfold((), |()| async {
                tokio::signal::ctrl_c().await.ok().map(|()| ("Ctrl-C", ()))
            })
            .boxed(),
        )
    }
}
