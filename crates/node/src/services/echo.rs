//! `/mooring/echo/1.0.0`: every byte back, a half-close answered by a half-close.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;

use crate::{IncomingStreams, limits::COPY_BUFFER};

/// The protocol's id.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/mooring/echo/1.0.0");

/// Serves until the streams end.
pub(crate) async fn serve(streams: IncomingStreams) {
    super::serve("echo", streams, echo).await;
}

/// Reads no more before it has written what it read: the remote's own window is the bound.
async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = vec![0; COPY_BUFFER];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return stream.close().await;
        }
        stream
            .write_all(buffer.get(..count).unwrap_or_default())
            .await?;
        stream.flush().await?;
    }
}
