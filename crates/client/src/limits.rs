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
