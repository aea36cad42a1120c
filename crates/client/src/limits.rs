//! Every bound of the client, with its reason.

use std::time::Duration;

/// What a stream's remote may send before the app has read it, in bytes, unless told otherwise. A path with 100 ms and 80 Mbit/s keeps
/// this much under way; an app that reads nothing holds no more than this.
pub const STREAM_WINDOW: u32 = 1024 * 1024;

/// Credit is returned in shares of the window: few messages, and the writer never waits while three quarters are free.
pub const CREDIT_SHARES: u32 = 4;

/// Requests of a client that may be unanswered at once: the extension's own bound for a document, at which it answers 5005.
pub const MAX_PENDING: usize = 4_096;

/// How much later than its time limit a request is given up that nobody answered: the extension itself answers within 250 ms.
pub const ANSWER_GRACE: Duration = Duration::from_secs(2);

/// How long [`connect`](crate::connect) waits for an extension: it is there before the page, or it was just started.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Between two questions whether anybody is there: one that was asked before the extension listened is lost.
pub const HELLO_INTERVAL: Duration = Duration::from_millis(250);

/// Messages and bytes that a subscription keeps for an app that is slow, unless told; beyond, the oldest goes.
pub const MAX_MESSAGES: usize = 1_024;
/// See [`MAX_MESSAGES`].
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// Events that are kept for an app that is slow; beyond, the oldest goes. They are told by the dozen, when a network changes.
pub const MAX_EVENTS: usize = 1_024;

/// Inbound streams that wait for an app that is slow; beyond, the oldest is reset. As many wait in the node while there is no tab.
pub const MAX_WAITING_STREAMS: usize = 16;

/// Between two tries to tell a node that is not running what the app wants of it: the first.
pub const RESTORE_MIN: Duration = Duration::from_secs(1);
/// The most that it grows to.
pub const RESTORE_MAX: Duration = Duration::from_secs(30);
