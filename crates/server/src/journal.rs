//! What happens at the server, as log lines that a program can read.

use futures::StreamExt;
use mooring_node::{Event, Handle};

/// Logs the node's events until it ends.
pub(crate) async fn keep(node: Handle) {
    while let Ok(mut events) = node.events().await {
        while let Some(event) = events.next().await {
            log(event);
        }
        // A reader that fell behind is cut off; if the node has ended, the next call says so.
        tracing::debug!("events begin anew");
    }
}

fn log(event: Event) {
    match event {
        Event::ConnectionOpened { connection } => tracing::info!(
            peer = %connection.peer,
            connection = %connection.id,
            direction = connection.direction.as_str(),
            transport = connection.transport.as_str(),
            path = connection.path.as_str(),
            address = %connection.remote_address,
            "connection opened"
        ),
        Event::ConnectionClosed { connection, reason } => tracing::info!(
            peer = %connection.peer,
            connection = %connection.id,
            // Quoted: parts of it may be the remote's words.
            reason = ?reason.unwrap_or_default(),
            "connection closed"
        ),
        Event::ConnectionUpgraded {
            connection,
            from,
            to,
        } => tracing::info!(
            peer = %connection.peer,
            connection = %connection.id,
            from = from.as_str(),
            to = to.as_str(),
            "connection upgraded"
        ),
        Event::PeerConnected { peer } => tracing::debug!(%peer, "peer connected"),
        Event::PeerDisconnected { peer } => tracing::debug!(%peer, "peer disconnected"),
        Event::AddressesChanged => tracing::debug!("addresses changed"),
    }
}
