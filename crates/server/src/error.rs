//! The crate's one error type.

use std::{io, net::SocketAddr, path::PathBuf};

use libp2p::Multiaddr;

use crate::address::{Problem, Role};

/// Why a server could not be started, or has ended. Each is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address in [`Config`](crate::Config) cannot be used.
    #[error("the {role} address {address} cannot be used: {problem}")]
    Address {
        /// What it was given for.
        role: Role,
        /// As it was given.
        address: Multiaddr,
        /// What is wrong with it.
        problem: Problem,
    },
    /// No address to listen on was given.
    #[error("there is no address to listen on; name at least one")]
    NothingToListenOn,
    /// A number in [`Config::limits`](crate::Config::limits) is none that can be chosen.
    #[error("the limit {name} is {value}; choose one from {least} to {most}")]
    Limit {
        /// Its name, as in [`BOUNDS`](crate::BOUNDS).
        name: &'static str,
        /// As it was given.
        value: u64,
        /// The smallest that it may be.
        least: u64,
        /// The largest that it may be.
        most: u64,
    },
    /// The data directory cannot be made or used.
    #[error("cannot use the data directory {path}: {source}; name one that you can write to")]
    DataDir {
        /// Where it is, or should have been made.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another server runs in this data directory.
    #[error(
        "the data directory {path} is in use by another server; stop that one, or name another directory"
    )]
    DataDirInUse {
        /// Where it is.
        path: PathBuf,
    },
    /// There is no home directory to put a data directory in.
    #[error("there is no home directory to keep data in; name a data directory")]
    NoHome,
    /// A file in the data directory cannot be read or written.
    #[error("cannot {action} {path}: {source}; check its permissions and the disk")]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file in the data directory is damaged. It is left as it is.
    #[error(
        "{path} is damaged ({cause}); restore it from a backup, or move it away to start with a new {holds}"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What it holds, in words.
        holds: &'static str,
        /// What is wrong with it.
        cause: String,
    },
    /// An address could not be listened on.
    #[error("cannot listen on {address}: {cause}; free it, or listen elsewhere")]
    Listen {
        /// Which.
        address: Multiaddr,
        /// What the system said.
        cause: String,
    },
    /// The metrics cannot be offered.
    #[error("cannot offer metrics at {address}: {source}; free it, or name another address")]
    Metrics {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate for webrtc-direct could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(String),
    /// The node refused.
    #[error(transparent)]
    Node(mooring_node::Error),
}

impl From<mooring_node::Error> for Error {
    fn from(error: mooring_node::Error) -> Self {
        match error {
            mooring_node::Error::Listen { address, cause } => Self::Listen { address, cause },
            other => Self::Node(other),
        }
    }
}
