//! `/perf/1.0.0` (libp2p/specs, perf): eight bytes say how much the server shall send, then the
//! client sends what it likes and half-closes, then the server sends that much and closes.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;

use crate::{
    Error, IncomingStreams,
    handle::within,
    limits::{COPY_BUFFER, PERF_TIMEOUT},
};

/// The protocol's id.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/perf/1.0.0");

/// Serves until the streams end.
pub(crate) async fn serve(streams: IncomingStreams) {
    super::serve("perf", streams, |stream| async {
        let run = async { run(stream).await.map_err(|_| Error::StreamReset) };
        within(PERF_TIMEOUT, run).await.map_err(io::Error::other)
    })
    .await;
}

async fn run(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut length = [0; 8];
    stream.read_exact(&mut length).await?;
    let mut left = u64::from_be_bytes(length);
    let mut buffer = vec![0; COPY_BUFFER];
    while stream.read(&mut buffer).await? > 0 {}
    buffer.fill(0);
    while left > 0 {
        let count = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        stream
            .write_all(buffer.get(..count).unwrap_or_default())
            .await?;
        left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
    }
    stream.close().await
}
