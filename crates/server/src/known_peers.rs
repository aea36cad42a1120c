//! The peers that the server remembers, in `peers`: a checksum (SHA-256, hex) and a line end, then the node's own text.
//!
//! It is no secret and no treasure: what cannot be read is put aside, and the server starts without.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use mooring_node::{Error, Handle, KnownPeers};
use sha2::{Digest, Sha256};
use tokio::{
    sync::Mutex,
    task::AbortHandle,
    time::{sleep, timeout},
};

use crate::{
    atomic_file,
    limits::{KNOWN_PEERS_EVERY, KNOWN_PEERS_FILE_BYTES, KNOWN_PEERS_FIRST, KNOWN_PEERS_LAST},
};

pub(crate) const FILE: &str = "peers";
/// The last one that could not be read.
const ASIDE: &str = "peers.damaged";

/// What is in the data directory. Never fails.
pub(crate) fn load(data_dir: &Path) -> KnownPeers {
    let path = data_dir.join(FILE);
    let problem = match atomic_file::read(&path, KNOWN_PEERS_FILE_BYTES) {
        Ok(None) => return KnownPeers::default(),
        Ok(Some(content)) => match decode(&content) {
            Ok(peers) => return peers,
            Err(problem) => problem,
        },
        Err(error) => error.to_string(),
    };
    tracing::warn!(path = %path.display(), problem, "the peers known from before cannot be read; starting without them");
    if let Err(error) = std::fs::rename(&path, data_dir.join(ASIDE)) {
        tracing::warn!(%error, "that file could not be put aside");
    }
    KnownPeers::default()
}

fn decode(content: &[u8]) -> Result<KnownPeers, String> {
    let damaged = || "they are damaged".to_owned();
    let content = std::str::from_utf8(content).map_err(|_| damaged())?;
    let (sum, text) = content.split_once('\n').ok_or_else(damaged)?;
    if sum != checksum(text) {
        return Err(damaged());
    }
    KnownPeers::decode(text).map_err(|bad| bad.to_string())
}

fn encode(peers: &KnownPeers) -> String {
    let text = peers.encode();
    format!("{}\n{text}", checksum(&text))
}

fn checksum(text: &str) -> String {
    let sum = Sha256::digest(text);
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes what a node remembers while it runs.
#[derive(Debug)]
pub(crate) struct Keeper {
    file: Arc<File>,
    task: AbortHandle,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    /// What is in it, as far as this server knows.
    written: Mutex<KnownPeers>,
}

impl Keeper {
    /// Begins; `loaded` is what is there.
    pub(crate) fn start(data_dir: &Path, loaded: KnownPeers, node: Handle) -> Self {
        let file = Arc::new(File {
            path: data_dir.join(FILE),
            written: Mutex::new(loaded),
        });
        let keep = Arc::clone(&file);
        let task = tokio::spawn(async move {
            sleep(KNOWN_PEERS_FIRST).await;
            while keep.save(&node).await {
                sleep(KNOWN_PEERS_EVERY).await;
            }
        });
        Self {
            file,
            task: task.abort_handle(),
        }
    }

    /// Once more, before the node ends.
    pub(crate) async fn finish(&self, node: &Handle) {
        if timeout(KNOWN_PEERS_LAST, self.file.save(node))
            .await
            .is_err()
        {
            tracing::warn!("the peers could not be written in time");
        }
    }
}

impl Drop for Keeper {
    /// The data directory may be another server's from now on.
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl File {
    /// Whether the node still runs.
    async fn save(&self, node: &Handle) -> bool {
        let known = match node.known_peers().await {
            Ok(known) => known,
            Err(Error::Stopped) => return false,
            // A machine that stands still.
            Err(_) => return true,
        };
        let mut written = self.written.lock().await;
        if *written == known {
            return true;
        }
        let (path, content) = (self.path.clone(), encode(&known));
        let write = move || atomic_file::replace(&path, content.as_bytes());
        match tokio::task::spawn_blocking(write).await {
            Ok(Ok(())) => *written = known,
            Ok(Err(error)) => {
                tracing::warn!(path = %self.path.display(), %error, "the peers could not be written; check the disk");
            }
            Err(error) => tracing::warn!(%error, "the peers could not be written"),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use mooring_node::KnownPeer;

    use super::*;

    fn some() -> KnownPeers {
        KnownPeers::new((1..4).map(|port| KnownPeer {
            peer: libp2p::PeerId::random(),
            addresses: vec![format!("/ip4/9.9.9.9/tcp/{port}").parse().unwrap()],
            seen: port,
            dht: true,
            failures: 0,
        }))
    }

    #[test]
    fn comes_back_the_same() {
        let dir = tempfile::tempdir().unwrap();
        assert!(load(dir.path()).is_empty());
        let peers = some();
        for peers in [&some(), &peers] {
            atomic_file::replace(&dir.path().join(FILE), encode(peers).as_bytes()).unwrap();
        }
        assert_eq!(load(dir.path()), peers);
        assert_eq!(dir.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn any_damage_is_seen_and_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let (path, aside) = (dir.path().join(FILE), dir.path().join(ASIDE));
        let whole = encode(&some()).into_bytes();
        let flipped = (0..whole.len()).map(|index| {
            let mut damaged = whole.clone();
            damaged[index] ^= 0x10;
            damaged
        });
        let cut = (0..whole.len()).map(|length| whole[..length].to_vec());
        let long = vec![b' '; usize::try_from(KNOWN_PEERS_FILE_BYTES).unwrap() + 1];
        for damaged in flipped.chain(cut).chain([long]) {
            std::fs::write(&path, &damaged).unwrap();
            assert!(load(dir.path()).is_empty(), "{damaged:02x?}");
            assert_eq!(std::fs::read(&aside).unwrap(), damaged);
            assert!(!path.exists());
        }
        let newer = r#"{"version":2}"#;
        std::fs::write(&path, format!("{}\n{newer}", checksum(newer))).unwrap();
        assert!(load(dir.path()).is_empty());
        assert!(std::fs::read_to_string(&aside).unwrap().ends_with(newer));
    }
}
