//! The configuration file.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use serde::Deserialize;
use toml::Spanned;

use crate::settings::take_limit;

/// Bytes of a configuration file: far more than anybody writes, and a wrong path (a disk image)
/// does not fill the memory.
const MAX_BYTES: u64 = 1024 * 1024;

/// The file as it is written, named like the flags. Values know where they stand.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Content {
    pub(crate) listen: Option<Vec<Spanned<String>>>,
    pub(crate) external: Option<Vec<Spanned<String>>>,
    pub(crate) data_dir: Option<Spanned<String>>,
    pub(crate) bootstrap: Option<Vec<Spanned<String>>>,
    pub(crate) enable: Option<Vec<Spanned<String>>>,
    pub(crate) metrics: Option<Spanned<String>>,
    pub(crate) log_format: Option<Spanned<String>>,
    pub(crate) log: Option<Spanned<String>>,
    relay_reservations: Option<Spanned<i64>>,
    relay_reservations_per_peer: Option<Spanned<i64>>,
    relay_reservations_per_ip: Option<Spanned<i64>>,
    relay_reservations_per_hour: Option<Spanned<i64>>,
    relay_reservation_seconds: Option<Spanned<i64>>,
    relay_circuits: Option<Spanned<i64>>,
    relay_circuits_per_peer: Option<Spanned<i64>>,
    relay_circuits_per_hour: Option<Spanned<i64>>,
    relay_circuit_bytes: Option<Spanned<i64>>,
    relay_circuit_seconds: Option<Spanned<i64>>,
    webrtc_connections_per_host: Option<Spanned<i64>>,
}

impl Content {
    /// The number that stands there for one of [`mooring_server::BOUNDS`].
    pub(crate) fn take_limit(&mut self, name: &str) -> Option<Spanned<i64>> {
        take_limit!(self, name)
    }
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read the configuration file {path}: {source}; check its name and permissions")]
    Read { path: String, source: io::Error },
    #[error("{path}:{line}: {message}")]
    Content {
        path: String,
        line: usize,
        message: String,
    },
}

/// # Errors
/// [`Error`].
pub(crate) fn read(path: &Path) -> Result<(Content, String), Error> {
    let name = path.display().to_string();
    let text = read_text(path).map_err(|source| Error::Read {
        path: name.clone(),
        source,
    })?;
    match toml::from_str(&text) {
        Ok(content) => Ok((content, text)),
        Err(error) => Err(Error::Content {
            path: name,
            line: line_of(&text, error.span().map_or(0, |span| span.start)),
            message: error.message().replace('\n', ", "),
        }),
    }
}

fn read_text(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut text = String::new();
    file.take(MAX_BYTES.saturating_add(1))
        .read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("larger than {MAX_BYTES} bytes")));
    }
    Ok(text)
}

/// The line, counted from 1, that a byte stands on.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
        .saturating_add(1)
}
