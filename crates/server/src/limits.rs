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

/// Bytes of the file with the peers that the server remembers: the node's own bound on its text, and the checksum.
pub(crate) const KNOWN_PEERS_FILE_BYTES: u64 = 129 * 1024;

/// When the peers are first written: some have come by then.
pub(crate) const KNOWN_PEERS_FIRST: Duration = Duration::from_secs(3);

/// How often they are written after that, if they are others: a crash costs less than a minute of them.
pub(crate) const KNOWN_PEERS_EVERY: Duration = Duration::from_secs(20);

/// How long an orderly end waits for the last time.
pub(crate) const KNOWN_PEERS_LAST: Duration = Duration::from_secs(2);

/// Connections that the metrics endpoint serves at once; others wait in the system's queue. Somebody looks while Prometheus does.
pub(crate) const METRICS_CONNECTIONS: usize = 8;

/// How long one of them lasts: a request and its answer, of some kilobytes.
pub(crate) const METRICS_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of a request's head. Prometheus sends about 300, a browser with its cookies for this host may send some thousand.
pub(crate) const METRICS_REQUEST_BYTES: usize = 8192;

/// Headers of a request. Prometheus sends 5, a browser some twenty.
pub(crate) const METRICS_HEADERS: usize = 48;

/// Pause when the system gives no connection.
pub(crate) const METRICS_ACCEPT_PAUSE: Duration = Duration::from_millis(100);
