//! The server's key, in `identity.key`.
//!
//! The file holds libp2p's own encoding of a private key (protobuf), as other libp2p servers use
//! it. An Ed25519 key is stored with its public half, so any damage shows when it is read.

use std::path::Path;

use libp2p::identity::Keypair;

use crate::{Error, atomic_file, limits::KEY_FILE_BYTES};

pub(crate) const FILE: &str = "identity.key";
const HOLDS: &str = "peer id";

/// The key in this data directory, if there is one.
pub(crate) fn load(data_dir: &Path) -> Result<Option<Keypair>, Error> {
    let path = data_dir.join(FILE);
    let content = atomic_file::read(&path, KEY_FILE_BYTES).map_err(|source| Error::File {
        action: "read",
        path: path.clone(),
        source,
    })?;
    let Some(content) = content else {
        return Ok(None);
    };
    Keypair::from_protobuf_encoding(&content)
        .map(Some)
        .map_err(|error| Error::Damaged {
            path,
            holds: HOLDS,
            cause: error.to_string(),
        })
}

/// Keeps a new key. Fails when there is one already.
pub(crate) fn save(data_dir: &Path, keypair: &Keypair) -> Result<(), Error> {
    let path = data_dir.join(FILE);
    keypair
        .to_protobuf_encoding()
        .map_err(std::io::Error::other)
        .and_then(|content| atomic_file::create(&path, &content))
        .map_err(|source| Error::File {
            action: "write",
            path,
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_the_same() {
        let dir = tempfile::tempdir().unwrap();
        assert!(load(dir.path()).unwrap().is_none());
        let keypair = Keypair::generate_ed25519();
        save(dir.path(), &keypair).unwrap();
        let again = load(dir.path()).unwrap().unwrap();
        assert_eq!(again.public(), keypair.public());
        assert!(matches!(
            save(dir.path(), &Keypair::generate_ed25519()),
            Err(Error::File {
                action: "write",
                ..
            })
        ));
    }

    #[test]
    fn any_damage_is_seen_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        save(dir.path(), &Keypair::generate_ed25519()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let flipped = (0..whole.len()).map(|index| {
            let mut damaged = whole.clone();
            damaged[index] ^= 0x10;
            damaged
        });
        let cut = (0..whole.len()).map(|length| whole[..length].to_vec());
        for damaged in flipped.chain(cut) {
            std::fs::write(&path, &damaged).unwrap();
            assert!(
                matches!(load(dir.path()), Err(Error::Damaged { .. })),
                "{damaged:02x?}"
            );
            assert_eq!(std::fs::read(&path).unwrap(), damaged);
        }
    }
}
