//! The data directory: made when missing, and held by one server at a time.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use etcetera::{AppStrategy, AppStrategyArgs};

use crate::Error;

const LOCK_FILE: &str = "lock";

/// Where the platform's users keep such data: `~/.local/share/mooring-server` or what
/// `XDG_DATA_HOME` says on Linux, `~/Library/Application Support/…` on macOS, `%APPDATA%` on
/// Windows.
///
/// # Errors
/// [`Error::NoHome`].
pub fn default_data_dir() -> Result<PathBuf, Error> {
    etcetera::app_strategy::choose_native_strategy(AppStrategyArgs {
        top_level_domain: "org".into(),
        author: "Mooring".into(),
        app_name: "mooring-server".into(),
    })
    .map(|strategy| strategy.data_dir())
    .map_err(|_| Error::NoHome)
}

/// A data directory that is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// The lock is the system's, so that a killed server leaves none behind.
    _lock: File,
}

impl DataDir {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let fail = |source| Error::DataDir {
            path: path.to_owned(),
            source,
        };
        make(path).map_err(fail)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK_FILE))
            .map_err(fail)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(Error::DataDirInUse {
                path: path.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(fail(source)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes the directory for its owner only. One that exists keeps its permissions.
fn make(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er");
        let held = DataDir::open(&path).unwrap();
        assert!(matches!(
            DataDir::open(&path),
            Err(Error::DataDirInUse { .. })
        ));
        drop(held);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn a_file_is_no_directory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"mine").unwrap();
        assert!(matches!(DataDir::open(&path), Err(Error::DataDir { .. })));
        assert!(matches!(
            DataDir::open(&path.join("below")),
            Err(Error::DataDir { .. })
        ));
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    }

    #[cfg(unix)]
    #[test]
    fn is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let _held = DataDir::open(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }
}
