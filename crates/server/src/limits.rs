//! Every bound of the server that is not the node's own, with its reason.

use std::time::Duration;

/// How long a start waits for the first address. The sockets are bound by then; only the list of
/// the machine's interfaces is still to come, which takes milliseconds.
pub(crate) const FIRST_ADDRESS_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an orderly end may take, before the process ends all the same.
pub(crate) const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of a key or certificate file. Ours are under 1 KiB; this is enough for a certificate
/// from elsewhere, and keeps a wrong path (a device, a disk image) from filling the memory.
pub(crate) const KEY_FILE_BYTES: u64 = 64 * 1024;
