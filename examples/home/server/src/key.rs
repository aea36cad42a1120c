//! The key that opens the notes.

use std::{fs, io, io::Write, path::Path};

use rand::{TryRngCore, rngs::OsRng};
use sha2::{Digest, Sha256};

const FILE: &str = "key";
/// 256 bits: nobody guesses it, however often.
const BYTES: usize = 32;

/// The key in a folder, made when there is none yet.
pub fn load_or_make(own: &Path) -> io::Result<String> {
    let file = own.join(FILE);
    match fs::read_to_string(&file) {
        Ok(key) if !key.trim().is_empty() => return Ok(key.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut bytes = [0; BYTES];
    OsRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
    let key = hex::encode(bytes);
    // Temporary files are for their owner alone, and so is this one then.
    let mut temporary = tempfile::NamedTempFile::new_in(own)?;
    writeln!(temporary, "{key}")?;
    temporary.persist(file)?;
    Ok(key)
}

/// Whether both are the same. By their hashes: how long it takes tells nothing of where they differ.
pub fn same(one: &str, other: &str) -> bool {
    Sha256::digest(one) == Sha256::digest(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_stays() {
        let folder = tempfile::tempdir().unwrap();
        let key = load_or_make(folder.path()).unwrap();
        assert_eq!(key.len(), 64);
        assert_eq!(load_or_make(folder.path()).unwrap(), key);
        let other = tempfile::tempdir().unwrap();
        assert!(!same(&load_or_make(other.path()).unwrap(), &key) && same(&key, &key));
    }
}
