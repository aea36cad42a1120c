//! Echo streams, checked by hash.

use futures::{AsyncReadExt as _, AsyncWriteExt as _, future::try_join};
use libp2p::{PeerId, StreamProtocol};
use rand::RngCore as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use web_time::Instant;

/// The tests' echo protocol: every byte back, half-close answered by half-close.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/mooring/echo/1.0.0");

/// What became of some streams.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    asked: usize,
    intact: usize,
    bytes: usize,
    milliseconds: f64,
    slowest_milliseconds: f64,
    errors: Vec<String>,
}

/// Opens `count` streams, `at_once` at a time. `sizes` are those of the first and the last payload; the others lie
/// between.
pub(crate) async fn streams(
    control: libp2p_stream::Control,
    peer: PeerId,
    count: usize,
    at_once: usize,
    sizes: (usize, usize),
) -> Report {
    use futures::StreamExt as _;
    let (first, last) = sizes;
    let begun = Instant::now();
    let mut report = Report {
        asked: count,
        ..Report::default()
    };
    let mut runs = futures::stream::iter(0..count)
        .map(|index| {
            let size = last
                .saturating_sub(first)
                .saturating_mul(index.saturating_add(1))
                .checked_div(count)
                .unwrap_or_default()
                .saturating_add(first);
            let control = control.clone();
            async move {
                let begun = Instant::now();
                let outcome = echo(control, peer, size).await;
                (index, size, milliseconds(begun), outcome)
            }
        })
        .buffer_unordered(at_once.max(1));
    while let Some((index, size, milliseconds, outcome)) = runs.next().await {
        report.slowest_milliseconds = report.slowest_milliseconds.max(milliseconds);
        match outcome {
            Ok(()) => {
                report.intact = report.intact.saturating_add(1);
                report.bytes = report.bytes.saturating_add(size);
            }
            Err(error) => report.errors.push(format!("stream {index}: {error}")),
        }
    }
    report.milliseconds = milliseconds(begun);
    report
}

fn milliseconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1000.0
}

async fn echo(
    mut control: libp2p_stream::Control,
    peer: PeerId,
    size: usize,
) -> Result<(), String> {
    let mut payload = vec![0; size];
    rand::rng().fill_bytes(&mut payload);
    let sent = Sha256::digest(&payload);
    let stream = control
        .open_stream(peer, PROTOCOL)
        .await
        .map_err(|error| format!("open: {error}"))?;
    let (mut reader, mut writer) = stream.split();
    let write = async {
        writer
            .write_all(&payload)
            .await
            .map_err(|error| format!("write: {error}"))?;
        writer
            .close()
            .await
            .map_err(|error| format!("close: {error}"))
    };
    let read = async {
        let mut hash = Sha256::new();
        let mut total = 0usize;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = reader
                .read(&mut buffer)
                .await
                .map_err(|error| format!("read after {total}: {error}"))?;
            if count == 0 {
                return Ok((total, hash.finalize()));
            }
            total = total.saturating_add(count);
            hash.update(buffer.get(..count).unwrap_or_default());
        }
    };
    let ((), (total, received)) = try_join(write, read).await?;
    if total != size || received != sent {
        return Err(format!("{total} of {size} bytes came back, or others"));
    }
    Ok(())
}

/// Small writes that are answered and never flushed, on one stream that is dropped at the end; resolves to the bytes that
/// came back.
pub(crate) async fn unflushed(
    mut control: libp2p_stream::Control,
    peer: PeerId,
    rounds: usize,
) -> Result<usize, String> {
    const PIECES: [&[u8]; 3] = [b"a", b"few", b"pieces"];
    let mut stream = control
        .open_stream(peer, PROTOCOL)
        .await
        .map_err(|error| format!("open: {error}"))?;
    let whole = PIECES.concat();
    let mut answer = vec![0; whole.len()];
    let mut total = 0usize;
    for round in 0..rounds {
        let exchange = async {
            for piece in PIECES {
                stream.write_all(piece).await?;
            }
            stream.read_exact(&mut answer).await
        };
        exchange
            .await
            .map_err(|error| format!("round {round}: {error}"))?;
        if answer != whole {
            return Err(format!("round {round}: other bytes came back"));
        }
        total = total.saturating_add(answer.len());
    }
    Ok(total)
}
