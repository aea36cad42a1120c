//! Files that are either whole or not there.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
};

use tempfile::NamedTempFile;

/// What a file is called until it is whole.
const PREFIX: &str = ".new-";

/// Writes a file that must not exist yet, readable by its owner only.
///
/// The content is on the disk before the name is: after a crash the file is whole or missing.
pub(crate) fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let file = write(path, content)?;
    // Not `persist`: an identity is never replaced, also not by two starts at once.
    file.persist_noclobber(path).map_err(|error| error.error)?;
    sync_folder(folder_of(path))
}

/// Writes a file, readable by its owner only, in the place of the one that may be there: after a crash it is the one or the other.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let file = write(path, content)?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder_of(path))
}

fn write(path: &Path, content: &[u8]) -> io::Result<NamedTempFile> {
    // On Unix such a file has mode 0600 from its first moment.
    let mut file = tempfile::Builder::new()
        .prefix(PREFIX)
        .tempfile_in(folder_of(path))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

/// Removes what writes left behind that were cut off: for whoever holds the folder alone.
pub(crate) fn sweep(folder: &Path) -> io::Result<()> {
    for entry in folder.read_dir()? {
        let entry = entry?;
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if ours && entry.file_type()?.is_file() {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Makes the new name itself durable.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Windows has no call for it.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Reads a whole small file, of no more than so many bytes; `None` when there is none.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    // A link into nowhere is not "none": writing through it, or beside it, would be a surprise.
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        // Opening a pipe would wait for its other end.
        Ok(found) if !(found.is_file() || found.is_symlink()) => {
            return Err(io::Error::other("not a regular file"));
        }
        Ok(_) => {}
    }
    let mut content = Vec::new();
    File::open(path)?
        .take(most.saturating_add(1))
        .read_to_end(&mut content)?;
    if content.len() as u64 > most {
        return Err(io::Error::other(format!("larger than {most} bytes")));
    }
    Ok(Some(content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::KEY_FILE_BYTES;

    fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
        super::read(path, KEY_FILE_BYTES)
    }

    #[test]
    fn replaces_whole_files_and_sweeps_scraps() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peers");
        for content in [b"one".as_slice(), b"two", b""] {
            replace(&path, content).unwrap();
            assert_eq!(read(&path).unwrap().unwrap(), content);
        }
        std::fs::write(folder.path().join(".new-torn"), "hal").unwrap();
        std::fs::create_dir(folder.path().join(".new-folder")).unwrap();
        sweep(folder.path()).unwrap();
        assert_eq!(folder.path().read_dir().unwrap().count(), 2);
        assert!(path.exists());
    }

    #[test]
    fn writes_once_and_leaves_no_scraps() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert_eq!(read(&path).unwrap(), None);
        create(&path, b"one").unwrap();
        assert!(create(&path, b"two").is_err());
        assert_eq!(read(&path).unwrap().unwrap(), b"one");
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create(&path, b"secret").unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn refuses_what_is_no_small_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).is_err());
        let large = folder.path().join("large");
        std::fs::write(&large, vec![0; KEY_FILE_BYTES as usize + 1]).unwrap();
        assert!(read(&large).is_err());
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink("nowhere", &link).unwrap();
            assert!(read(&link).is_err());
        }
    }
}
