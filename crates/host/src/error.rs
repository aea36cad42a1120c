//! The crate's one error type, and how the node's errors and these become the page API's codes.

use mooring_api::{ErrorCode, ErrorObject};

use crate::{PlatformError, ValueError};

/// Why something in the host failed, outside of what is answered to a page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The platform's storage did not answer in time.
    #[error("the extension's storage does not answer")]
    StorageTimeout,
    /// The platform refused.
    #[error("the browser refused: {0}")]
    Platform(#[from] PlatformError),
    /// What was read back is not what was written.
    #[error("what was written could not be read back")]
    ReadBack,
    /// A record that would be too long to be read again.
    #[error("there is too much to be stored")]
    RecordTooLarge,
    /// The stored grants could not be read at start, so they are not written over either.
    #[error("the stored permissions could not be read, and are left as they are")]
    GrantsUnread,
    /// A message or record could not be made or read.
    #[error("not of the expected shape: {0}")]
    Value(#[from] ValueError),
    /// No identity can be made.
    #[error("no identity: {0}")]
    Identity(String),
}

impl Error {
    /// Whether there is no room for what was to be stored. Browsers say so in words only: Chromium's
    /// `Resource::kQuotaBytes quota exceeded` and `FILE_ERROR_NO_SPACE`, Firefox's `QuotaExceededError`.
    pub(crate) fn is_full(&self) -> bool {
        let Error::Platform(PlatformError(words)) = self else {
            return false;
        };
        let words = words.to_ascii_lowercase();
        ["quota", "no_space", "no space", "disk is full"]
            .iter()
            .any(|sign| words.contains(sign))
    }
}

/// One error of the page API.
pub(crate) fn error(code: ErrorCode, message: impl Into<String>) -> ErrorObject {
    ErrorObject::new(code, message)
}

/// 5005 for what is too large whenever it comes, and so without a time to try again.
pub(crate) fn too_large(what: &str, most: usize) -> ErrorObject {
    error(
        ErrorCode::LimitExceeded,
        format!("Too large: at most {most} bytes."),
    )
    .with_detail(what)
}

/// The node's error as the page API says it.
pub(crate) fn from_node(from: &mooring_node::Error) -> ErrorObject {
    use mooring_node::Error as Node;
    match from {
        Node::BadAddress { .. } => error(ErrorCode::BadAddress, from.to_string()),
        Node::Refused { .. } => error(ErrorCode::Refused, from.to_string()),
        Node::DialFailed { causes } => error(
            ErrorCode::DialFailed,
            "No address of the peer led to a connection.",
        )
        .with_detail(causes.join("; ")),
        Node::NotConnected => error(
            ErrorCode::DialFailed,
            "There is no connection to the peer, and this request may not open one.",
        ),
        Node::Paused => error(ErrorCode::DialFailed, "The user has paused the node."),
        Node::Timeout => timeout(),
        Node::NotFound => error(ErrorCode::NotFound, "Nothing is known under that name."),
        Node::LimitExceeded { what, retry_after } => error(
            ErrorCode::LimitExceeded,
            format!("The node is at its limit: {what}."),
        )
        .with_detail(*what)
        .with_retry_after(millis(*retry_after)),
        Node::TooLarge { what, most } => error(
            ErrorCode::LimitExceeded,
            format!("Too large: {what} has at most {most} bytes."),
        ),
        Node::ProtocolNotSupported => error(
            ErrorCode::ProtocolNotSupported,
            "The remote speaks none of the protocols.",
        ),
        Node::StreamReset => error(ErrorCode::StreamReset, "The stream ended abruptly."),
        Node::NoPeers => error(
            ErrorCode::NoPeers,
            "There is nobody to ask, or to store with.",
        ),
        Node::Unsupported(_) => error(ErrorCode::Unsupported, from.to_string()),
        Node::Stopped => not_running("The node has stopped."),
        // Only from starting a node, which no request does.
        Node::Listen { .. } | Node::Config(_) => error(ErrorCode::Internal, "The node failed."),
    }
}

/// 5002.
pub(crate) fn timeout() -> ErrorObject {
    error(ErrorCode::Timeout, "The request's time limit passed.")
}

/// 4900.
pub(crate) fn not_running(why: impl Into<String>) -> ErrorObject {
    error(ErrorCode::NodeNotRunning, "The node is not running.").with_detail(why)
}

/// A span in whole milliseconds.
pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
