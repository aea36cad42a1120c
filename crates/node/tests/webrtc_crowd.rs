//! Many pairs that meet over one relay at the same time. `cargo xtask soak crowd` runs it with fifty; the tests with fewer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::time::{Duration, Instant};

use common::*;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, future::join_all};
use mooring_node::{DialRequest, Path, TransportKind};

/// How many pairs, when the environment does not say.
const PAIRS: usize = 6;
/// The environment's word for it.
const VARIABLE: &str = "MOORING_CROWD_PAIRS";
/// Two cores share what all of them do at the same time.
const CROWD_PATIENCE: Duration = Duration::from_secs(180);
const BYTES: usize = 1_000_000;

struct Pair {
    near: Node,
    far: Node,
}

impl Pair {
    /// Reachable over the relay.
    async fn new(relay: &Node) -> Self {
        let pair = Self {
            near: Node::client(),
            far: Node::client(),
        };
        pair.near.connect(relay).await;
        let serve = pair.near.handle.accept(vec![CHAT]).await.unwrap();
        tokio::spawn(serve.for_each_concurrent(None, |incoming| async move {
            let (read, mut write) = incoming.stream.split();
            if futures::io::copy(read, &mut write).await.is_ok() {
                // Who opened it sees what came of it.
                let _ = write.close().await;
            }
        }));
        pair
    }

    async fn meets(&self) -> Duration {
        let address = self.near.webrtc_address().await;
        let begun = Instant::now();
        let request = DialRequest {
            timeout: CROWD_PATIENCE,
            ..request(&address)
        };
        let connection = self.far.handle.dial(request).await.unwrap();
        assert_eq!(
            (connection.peer, connection.path, connection.transport),
            (self.near.peer(), Path::Direct, TransportKind::Webrtc)
        );
        begun.elapsed()
    }

    async fn echoes(&self, seed: usize) {
        let bytes: Vec<u8> = (seed..seed.saturating_add(BYTES))
            .map(|at| at.to_le_bytes()[at % 3])
            .collect();
        let opened = self.far.open(self.near.peer(), CHAT).await.unwrap();
        assert!(!opened.relayed);
        assert!(exchange(opened.stream, &bytes).await.unwrap() == bytes);
    }
}

async fn all_echo(pairs: &[Pair]) {
    let echoes = pairs.iter().enumerate();
    join_all(echoes.map(|(seed, pair)| pair.echoes(seed))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_pairs_meet_over_one_relay() {
    let count = std::env::var(VARIABLE).map_or(PAIRS, |count| {
        count.parse().expect("MOORING_CROWD_PAIRS is a number")
    });
    let work = async {
        let relay = Node::server(TCP);
        let pairs = join_all((0..count).map(|_| Pair::new(&relay))).await;
        let mut times = join_all(pairs.iter().map(Pair::meets)).await;
        times.sort_unstable();
        all_echo(&pairs).await;
        for pair in &pairs {
            while !pair.far.is_only_direct_to(&pair.near).await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        // Nobody needs the relay any more.
        relay.task.abort();
        for pair in &pairs {
            while pair.near.is_connected(relay.peer()).await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        all_echo(&pairs).await;
        println!(
            "{count} pairs, all at once: direct after {:?} to {:?}, median {:?}",
            times.first().unwrap(),
            times.last().unwrap(),
            times[count / 2]
        );
    };
    tokio::time::timeout(CROWD_PATIENCE, work)
        .await
        .expect("all pairs met in time");
}
