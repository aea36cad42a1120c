//! Every bound, with its reason.

use std::time::Duration;

/// Bytes that have arrived and that nobody has read. A browser delivers what arrives whether it is wanted or not. The
/// multiplexer above reads all the time and bounds each stream itself (yamux: 256 KiB), so what waits here came within one
/// turn of the event loop; a remote that gets further ignores the multiplexer's windows.
pub const RECEIVE_BUFFER: usize = 16 * 1024 * 1024;

/// Messages of those bytes, for a remote that sends one byte a message (or none) to make their overhead the load.
pub const RECEIVE_MESSAGES: usize = 64 * 1024;

/// Bytes that the browser may hold before writing waits; one message may go over it.
pub const SEND_HIGH_WATER: usize = 1024 * 1024;

/// Writing goes on when so little is left: enough for the network while the next timer comes around.
pub const SEND_LOW_WATER: usize = 512 * 1024;

/// How often a writer that waits looks at what the browser holds. There is no event for it, and browsers do not fire
/// nested timers more often than this.
pub const SEND_POLL: Duration = Duration::from_millis(4);

/// Bytes of one message: a Noise frame. Some implementations read messages as a whole.
pub const MESSAGE: usize = 64 * 1024;

/// TCP, TLS and the opening handshake. Browsers try for minutes.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long closing waits for the remote's close frame, with all that is to be sent before ours.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
