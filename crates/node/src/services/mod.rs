//! What a server offers to try it out.

pub(crate) mod echo;
mod idle;
pub(crate) mod perf;
mod shares;

use std::{future::Future, io};

use futures::StreamExt;
use idle::Idle;
use shares::Shares;

use crate::{
    IncomingStreams, Stream,
    limits::{SERVICE_IDLE, SERVICE_STREAMS},
};

/// Works on each stream, in a peer's share of the service and while anything moves; a stream for which there is no room
/// is reset. Ends with the streams.
async fn serve<W, F>(name: &'static str, streams: IncomingStreams, work: W)
where
    W: Fn(Idle<Stream>) -> F,
    F: Future<Output = io::Result<()>>,
{
    let shares = Shares::new(SERVICE_STREAMS);
    let (work, shares) = (&work, &shares);
    streams
        .for_each_concurrent(None, |incoming| async move {
            let peer = incoming.peer;
            let Some(_share) = shares.take(peer) else {
                tracing::debug!(%peer, name, "stream refused: the peer's share is used up");
                return;
            };
            if let Err(error) = work(Idle::new(incoming.stream, SERVICE_IDLE)).await {
                tracing::debug!(%peer, name, %error, "service stream ended");
            }
        })
        .await;
}
