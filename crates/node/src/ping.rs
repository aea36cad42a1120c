//! One `/ipfs/ping/1.0.0` round trip, now. `libp2p-ping` measures only at its own interval.

use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;
use web_time::Instant;

use crate::Error;

/// The protocol's id.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/ipfs/ping/1.0.0");

/// Bytes of one ping (libp2p/specs, ping).
pub(crate) const PAYLOAD: usize = 32;

/// Sends random bytes and times their return.
pub(crate) async fn round_trip(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
) -> Result<Duration, Error> {
    let sent: [u8; PAYLOAD] = rand::random();
    let mut received = [0; PAYLOAD];
    let begin = Instant::now();
    let exchange = async {
        stream.write_all(&sent).await?;
        stream.flush().await?;
        stream.read_exact(&mut received).await
    };
    exchange.await.map_err(|_| Error::StreamReset)?;
    let rtt = begin.elapsed();
    if received != sent {
        return Err(Error::StreamReset);
    }
    // The answer is there; whether the remote also says goodbye changes nothing.
    let _ = stream.close().await;
    Ok(rtt)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use futures::{
        executor::block_on,
        io::{AllowStdIo, Cursor},
    };

    use super::*;

    #[test]
    fn a_wrong_echo_is_no_round_trip() {
        // Reads what is in it, at a position behind what is written: never the same bytes.
        let mut other = Cursor::new(vec![0; 64]);
        assert_eq!(block_on(round_trip(&mut other)), Err(Error::StreamReset));
    }

    #[test]
    fn a_remote_that_ends_early_is_no_round_trip() {
        assert_eq!(
            block_on(round_trip(Cursor::new(Vec::new()))),
            Err(Error::StreamReset)
        );
    }

    #[test]
    fn an_echo_is_a_round_trip() {
        let (near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
        let echo = std::thread::spawn(move || {
            let mut bytes = [0; PAYLOAD];
            far.read_exact(&mut bytes).unwrap();
            far.write_all(&bytes).unwrap();
        });
        assert!(block_on(round_trip(AllowStdIo::new(near))).is_ok());
        echo.join().unwrap();
    }
}
