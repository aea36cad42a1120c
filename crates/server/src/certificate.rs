//! The certificate of the webrtc-direct listener, in `webrtc.pem`.
//!
//! Its hash is part of the server's addresses, so it must stay the same, and a change that nobody
//! asked for must be seen: before the PEM sections stands a line with the hash.

use std::path::Path;

use mooring_webrtc::Certificate;

use crate::{Error, atomic_file, limits::KEY_FILE_BYTES};

pub(crate) const FILE: &str = "webrtc.pem";
const HOLDS: &str = "certificate (and with it, new addresses)";
const HASH_LABEL: &str = "sha-256: ";

/// The certificate in this data directory, if there is one.
pub(crate) fn load(data_dir: &Path) -> Result<Option<Certificate>, Error> {
    let path = data_dir.join(FILE);
    let content = atomic_file::read(&path, KEY_FILE_BYTES).map_err(|source| Error::File {
        action: "read",
        path: path.clone(),
        source,
    })?;
    let Some(content) = content else {
        return Ok(None);
    };
    parse(&content).map(Some).map_err(|cause| Error::Damaged {
        path,
        holds: HOLDS,
        cause,
    })
}

fn parse(content: &[u8]) -> Result<Certificate, String> {
    let text = std::str::from_utf8(content).map_err(|error| error.to_string())?;
    let certificate = Certificate::from_pem(text).map_err(|error| error.to_string())?;
    // A file that an operator brought along has no such line, and is taken as it is.
    let stated = text.lines().find_map(|line| line.strip_prefix(HASH_LABEL));
    match stated {
        Some(stated) if stated.trim() != hash(&certificate) => {
            Err("the certificate does not have the hash that the file states".into())
        }
        _ => Ok(certificate),
    }
}

/// Makes a new certificate; nothing is written.
pub(crate) fn generate() -> Result<Certificate, Error> {
    Certificate::generate().map_err(|error| Error::Certificate(error.to_string()))
}

/// Keeps a new certificate. Fails when there is one already.
pub(crate) fn save(data_dir: &Path, certificate: &Certificate) -> Result<(), Error> {
    let path = data_dir.join(FILE);
    let content = format!(
        "{HASH_LABEL}{}\n{}",
        hash(certificate),
        certificate.to_pem()
    );
    atomic_file::create(&path, content.as_bytes()).map_err(|source| Error::File {
        action: "write",
        path,
        source,
    })
}

fn hash(certificate: &Certificate) -> String {
    certificate
        .fingerprint()
        .digest()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_the_same() {
        let dir = tempfile::tempdir().unwrap();
        assert!(load(dir.path()).unwrap().is_none());
        let certificate = generate().unwrap();
        save(dir.path(), &certificate).unwrap();
        assert_eq!(load(dir.path()).unwrap().unwrap(), certificate);
        assert!(save(dir.path(), &certificate).is_err());
    }

    #[test]
    fn takes_a_certificate_brought_along() {
        let dir = tempfile::tempdir().unwrap();
        let certificate = generate().unwrap();
        std::fs::write(dir.path().join(FILE), certificate.to_pem()).unwrap();
        assert_eq!(load(dir.path()).unwrap().unwrap(), certificate);
    }

    #[test]
    fn any_damage_is_seen_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let certificate = generate().unwrap();
        save(dir.path(), &certificate).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 10, whole.len() / 2, whole.len() - 10] {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(
                matches!(load(dir.path()), Err(Error::Damaged { .. })),
                "{length}"
            );
        }
        // A flipped bit is seen, or was in a place that means nothing: never another certificate.
        for index in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[index] ^= 0x01;
            std::fs::write(&path, &damaged).unwrap();
            match load(dir.path()) {
                Err(Error::Damaged { .. }) => {}
                Ok(Some(found)) => assert_eq!(found, certificate, "byte {index}"),
                other => panic!("byte {index}: {other:?}"),
            }
            assert_eq!(std::fs::read(&path).unwrap(), damaged);
        }
    }
}
