//! `/mooring/bench/bulk/1.0.0`: so many bytes up, so many down, both checked.
//!
//! The client sends three numbers of 8 bytes, big-endian: how much it will send, how much it wants
//! sent, and how many bytes a second the server shall read at most (0: as fast as it can). Then it
//! sends. The server answers with the SHA-256 of what it received, then sends its bytes, and closes.
//! Both send the same: [`Pattern`].

use std::io;
use std::time::{Duration, Instant};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::StreamProtocol;
use mooring_server::node::IncomingStreams;
use mooring_transport_probe::Pattern;
use sha2::{Digest, Sha256};

pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/mooring/bench/bulk/1.0.0");

const HEADER: usize = 24;
/// Transfers at once; more wait.
const AT_ONCE: usize = 64;
const BUFFER: usize = 64 * 1024;
/// A slow reader takes this part of a second's bytes at a time, so that it is slow evenly.
const PORTIONS_A_SECOND: u64 = 100;

/// Serves until the streams end.
pub async fn serve(streams: IncomingStreams) {
    streams
        .for_each_concurrent(AT_ONCE, |incoming| async move {
            if let Err(error) = run(incoming.stream).await {
                tracing::info!(peer = %incoming.peer, %error, "bulk ended");
            }
        })
        .await;
}

async fn run(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut header = [0; HEADER];
    stream.read_exact(&mut header).await?;
    let mut numbers = header
        .chunks_exact(8)
        .map(|bytes| u64::from_be_bytes(bytes.try_into().unwrap_or_default()));
    let mut number = || numbers.next().unwrap_or_default();
    let (up, down, rate) = (number(), number(), number());
    let digest = receive(&mut stream, up, rate).await?;
    stream.write_all(&digest).await?;
    send(&mut stream, down).await?;
    stream.close().await
}

async fn receive(
    stream: &mut (impl AsyncRead + Unpin),
    bytes: u64,
    rate: u64,
) -> io::Result<[u8; 32]> {
    let start = Instant::now();
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    let mut received = 0_u64;
    let portion = rate.div_ceil(PORTIONS_A_SECOND).max(1);
    while received < bytes {
        let mut wanted = bytes.saturating_sub(received);
        if rate > 0 {
            wanted = wanted.min(portion);
            let due = Duration::from_millis(received.saturating_mul(1000).div_euclid(rate));
            tokio::time::sleep(due.saturating_sub(start.elapsed())).await;
        }
        let length = usize::try_from(wanted).map_or(BUFFER, |wanted| wanted.min(BUFFER));
        let room = buffer.get_mut(..length).unwrap_or_default();
        let count = stream.read(room).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        hash.update(room.get(..count).unwrap_or_default());
        received = received.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }
    Ok(hash.finalize().into())
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), bytes: u64) -> io::Result<()> {
    let mut pattern = Pattern::new();
    let mut left = bytes;
    while left > 0 {
        let block = pattern.next_block();
        let count = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        stream
            .write_all(block.get(..count).unwrap_or_default())
            .await?;
        left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// The other ends (tests/transport, tests/interop/go, bench/page) make the same.
    #[test]
    fn the_pattern_is_the_one_agreed_on() {
        let mut pattern = Pattern::new();
        let mut all = pattern.next_block().to_vec();
        all.extend_from_slice(pattern.next_block());
        let digest: String = Sha256::digest(&all)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            digest,
            "5e2a5955547fd6df38eb0920d7a70ab072daf1b99b32ab720e9f5235b3d9737d"
        );
    }

    #[test]
    fn counts_up_and_down() {
        use futures::io::Cursor;
        futures::executor::block_on(async {
            let mut sent = Cursor::new(Vec::new());
            send(&mut sent, 1_500_000).await.unwrap();
            let sent = sent.into_inner();
            assert_eq!(sent.len(), 1_500_000);
            let digest = receive(&mut Cursor::new(&sent), 1_500_000, 0)
                .await
                .unwrap();
            assert_eq!(digest.as_slice(), Sha256::digest(&sent).as_slice());
            assert!(
                receive(&mut Cursor::new(&sent), 1_500_001, 0)
                    .await
                    .is_err()
            );
        });
    }
}
