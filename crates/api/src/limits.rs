//! The bounds that the contract itself names. A crate's own bounds are in that crate's `limits.rs`.

/// Longest string id of a request, in UTF-16 code units, as a page counts them.
pub const MAX_ID_LENGTH: usize = 128;
/// Largest message from a page, in bytes as the content script measures it. Streams carry anything larger.
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;
/// Deepest nesting of a message from a page.
pub const MAX_NESTING: usize = 32;
/// Time limit of a request that names none, in milliseconds.
pub const DEFAULT_TIMEOUT_MS: u64 = 30_000;
/// Longest time limit that a request may name, in milliseconds.
pub const MAX_TIMEOUT_MS: u64 = 300_000;

/// Longest data in one message of a stream port, in bytes.
pub const MAX_STREAM_CHUNK: usize = 256 * 1024;
/// Most credit that the node has outstanding towards a page, in bytes.
pub const MAX_CREDIT_FROM_NODE: u64 = 4 * 1024 * 1024;
/// Most credit that a page may have outstanding towards the node, in bytes.
pub const MAX_CREDIT_FROM_PAGE: u64 = 16 * 1024 * 1024;

/// Most descriptors in one `permissions.*` call: a prompt with more could not be read by anybody.
pub const MAX_DESCRIPTORS: usize = 32;
/// Most protocols or topics in one descriptor or call.
pub const MAX_NAMES: usize = 64;
/// Longest protocol id or topic, in bytes: multistream-select refuses longer lines in practice.
pub const MAX_NAME_BYTES: usize = 140;
/// Shortest prefix that a trailing `*` may follow in a caveat, in characters.
pub const MIN_PREFIX_CHARS: usize = 3;
/// Most addresses in one dial.
pub const MAX_ADDRESSES: usize = 32;
