//! What the benchmarks and the endurance runs measure. The protocol is that of `bench/server`.

use std::time::Duration;

use futures::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
    future::{Either, select, try_join},
};
use futures_timer::Delay;
use libp2p::{PeerId, StreamProtocol};
use libp2p_stream::Control;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use web_time::Instant;

use crate::{echo, pattern::Pattern};

const BULK: StreamProtocol = StreamProtocol::new("/mooring/bench/bulk/1.0.0");

/// Up to this much is kept while it arrives and hashed when the clock has stopped, as the other implementations do it.
const KEPT: u64 = 256 * 1024 * 1024;
const BUFFER: usize = 64 * 1024;

/// What is asked of a transfer. Sizes are bytes.
#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Order {
    up: u64,
    down: u64,
    /// Bytes a second that the server reads; 0: all it can.
    rate_up: u64,
    /// Bytes a second that we read; 0: all we can.
    rate_down: u64,
}

/// How a transfer went.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Transfer {
    /// From asking for the stream to the last byte.
    milliseconds: f64,
    /// SHA-256 of what the server received, as it says, and of what arrived here. Hexadecimal.
    sha256_up: String,
    sha256_down: String,
    /// How the stream ended after that; empty: as it should.
    end: String,
}

/// One transfer.
pub(crate) async fn bulk(
    mut control: Control,
    peer: PeerId,
    order: Order,
) -> Result<Transfer, String> {
    let mut kept = Vec::new();
    if order.rate_down == 0 && order.down <= KEPT {
        kept = vec![0; size(order.down)];
    }
    let begun = Instant::now();
    let stream = control
        .open_stream(peer, BULK)
        .await
        .map_err(|error| format!("open: {error}"))?;
    let (mut reader, mut writer) = stream.split();
    let mut digest = [0; 32];
    let read = async {
        reader.read_exact(&mut digest).await?;
        if kept.is_empty() {
            return drain(&mut reader, order).await.map(Some);
        }
        reader.read_exact(&mut kept).await.map(|()| None)
    };
    let (hash, ()) = try_join(read, send(&mut writer, order))
        .await
        .map_err(|error| format!("transfer: {error}"))?;
    let milliseconds = milliseconds(begun);
    let end = match (writer.close().await, reader.read(&mut [0]).await) {
        (Ok(()), Ok(0)) => String::new(),
        (closed, read) => format!("{closed:?}, {read:?}"),
    };
    let hash = hash.unwrap_or_else(|| Sha256::digest(&kept).into());
    Ok(Transfer {
        milliseconds,
        sha256_up: hex(&digest),
        sha256_down: hex(&hash),
        end,
    })
}

async fn send(writer: &mut (impl AsyncWrite + Unpin), order: Order) -> std::io::Result<()> {
    for number in [order.up, order.down, order.rate_up] {
        writer.write_all(&number.to_be_bytes()).await?;
    }
    let mut pattern = Pattern::new();
    let mut left = order.up;
    while left > 0 {
        let block = pattern.next_block();
        let count = size(left).min(block.len());
        writer
            .write_all(block.get(..count).unwrap_or_default())
            .await?;
        left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
    }
    writer.flush().await
}

/// Reads as fast as the order allows, and keeps nothing.
async fn drain(reader: &mut (impl AsyncRead + Unpin), order: Order) -> std::io::Result<[u8; 32]> {
    let begun = Instant::now();
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    let mut received = 0_u64;
    while received < order.down {
        if let Some(due) = received.saturating_mul(1000).checked_div(order.rate_down) {
            let wait = Duration::from_millis(due).saturating_sub(begun.elapsed());
            if !wait.is_zero() {
                Delay::new(wait).await;
            }
        }
        let length = size(order.down.saturating_sub(received)).min(BUFFER);
        let room = buffer.get_mut(..length).unwrap_or_default();
        let count = reader.read(room).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        hash.update(room.get(..count).unwrap_or_default());
        received = received.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }
    Ok(hash.finalize().into())
}

/// A stream that echoes single bytes.
pub(crate) struct Pinger(libp2p::Stream);

impl Pinger {
    /// Opened and tried once: the first answer has the negotiation in it.
    pub(crate) async fn open(mut control: Control, peer: PeerId) -> Result<Self, String> {
        let stream = control
            .open_stream(peer, echo::PROTOCOL)
            .await
            .map_err(|error| format!("open: {error}"))?;
        let mut pinger = Self(stream);
        pinger.round_trip().await?;
        Ok(pinger)
    }

    /// Milliseconds to the server and back.
    pub(crate) async fn round_trip(&mut self) -> Result<f64, String> {
        let begun = Instant::now();
        let mut answer = [0];
        let exchange = async {
            self.0.write_all(&[7]).await?;
            self.0.flush().await?;
            self.0.read_exact(&mut answer).await
        };
        exchange
            .await
            .map_err(|error| format!("round trip: {error}"))?;
        Ok(milliseconds(begun))
    }

    pub(crate) async fn close(mut self) -> Result<(), String> {
        self.0
            .close()
            .await
            .map_err(|error| format!("close: {error}"))
    }
}

/// So many round trips, one after another with a pause between.
pub(crate) async fn round_trips(
    control: Control,
    peer: PeerId,
    count: usize,
    pause: Duration,
) -> Result<Vec<f64>, String> {
    let mut pinger = Pinger::open(control, peer).await?;
    let mut times = Vec::new();
    for _ in 0..count {
        times.push(pinger.round_trip().await?);
        wait(pause).await;
    }
    pinger.close().await?;
    Ok(times)
}

/// Round trips for as long as a transfer takes.
pub(crate) async fn round_trips_during(
    control: Control,
    peer: PeerId,
    order: Order,
    pause: Duration,
) -> Result<Vec<f64>, String> {
    let mut pinger = Pinger::open(control.clone(), peer).await?;
    let mut times = Vec::new();
    let mut transfer = Box::pin(bulk(control, peer, order));
    let pings = async {
        loop {
            times.push(pinger.round_trip().await?);
            wait(pause).await;
        }
    };
    match select(&mut transfer, Box::pin(pings)).await {
        Either::Left((result, _)) => result.map(drop)?,
        Either::Right((result, _)) => return result,
    }
    Ok(times)
}

async fn wait(pause: Duration) {
    if !pause.is_zero() {
        Delay::new(pause).await;
    }
}

fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn milliseconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1000.0
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
