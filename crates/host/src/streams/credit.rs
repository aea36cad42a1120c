//! The rules of a stream port, without any input or output: what the page may say, what may be read from the stream
//! and written to it, and what the page is told.

use std::collections::VecDeque;

use mooring_api::{
    limits::{MAX_CREDIT_FROM_NODE, MAX_CREDIT_FROM_PAGE, MAX_STREAM_CHUNK},
    stream_port::RESET_PROTOCOL,
};

use crate::{
    Value,
    limits::{GATHER_FROM, READ_AHEAD, READ_CHUNK},
};

/// The remote ended the stream abruptly, or its connection did.
pub(super) const RESET_REMOTE: &str = "remote";

/// What a page says on a stream port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    Data(Vec<u8>),
    Credit(u64),
    CloseWrite,
    StopReading,
    Reset,
    /// Nothing that the contract knows.
    Nonsense,
}

impl Said {
    /// Reads a message of a page.
    pub(super) fn read(mut message: Value) -> Said {
        let kind = message
            .get("type")
            .and_then(Value::as_text)
            .map(str::to_owned);
        match (kind.as_deref(), message.take("bytes")) {
            (Some("data"), Some(Value::Bytes(bytes)))
                if (1..=MAX_STREAM_CHUNK).contains(&bytes.len()) =>
            {
                Said::Data(bytes)
            }
            (Some("credit"), Some(Value::Number(bytes))) => credit(bytes),
            (Some("closeWrite"), _) => Said::CloseWrite,
            (Some("stopReading"), _) => Said::StopReading,
            (Some("reset"), _) => Said::Reset,
            _ => Said::Nonsense,
        }
    }
}

fn credit(bytes: f64) -> Said {
    #[allow(clippy::cast_precision_loss)] // 16 Mi
    let most = MAX_CREDIT_FROM_PAGE as f64;
    if bytes.fract() == 0.0 && (0.0..=most).contains(&bytes) {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // whole, and in range
        return Said::Credit(bytes as u64);
    }
    Said::Nonsense
}

/// What the page is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tell {
    Data(Vec<u8>),
    Credit(u64),
    CloseWrite,
    StopReading,
    Reset(&'static str),
    Closed,
}

impl Tell {
    /// As a message of the stream port.
    pub(super) fn into_value(self) -> Value {
        let kind = |kind: &str| ("type", Value::text(kind));
        match self {
            Tell::Data(bytes) => Value::object([kind("data"), ("bytes", Value::Bytes(bytes))]),
            #[allow(clippy::cast_precision_loss)] // at most 4 Mi
            Tell::Credit(bytes) => {
                Value::object([kind("credit"), ("bytes", Value::Number(bytes as f64))])
            }
            Tell::CloseWrite => Value::object([kind("closeWrite")]),
            Tell::StopReading => Value::object([kind("stopReading")]),
            Tell::Reset(reason) => Value::object([kind("reset"), ("reason", Value::text(reason))]),
            Tell::Closed => Value::object([kind("closed")]),
        }
    }
}

/// How far one direction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Open,
    /// It has been ended from where it comes; what is on its way still goes.
    Ending,
    Ended,
}

/// The state of one stream port.
#[derive(Debug)]
pub(super) struct Machine {
    /// Most that the page may have sent and we not yet written.
    window: u64,
    /// What of it the page may still send.
    granted: u64,
    /// Written since credit was last granted.
    written: u64,
    queue: VecDeque<Vec<u8>>,
    /// Bytes of the queue's front that have been written.
    front: usize,
    /// Page → stream.
    up: Half,
    /// What the page may still be sent.
    credit: u64,
    /// Read before there was credit.
    ahead: Vec<u8>,
    /// Stream → page. `Ending`: the stream has ended, and `ahead` may still hold its last bytes.
    down: Half,
    tell: VecDeque<Tell>,
    over: bool,
}

impl Machine {
    /// A new stream; the page gets its first credit at once.
    pub(super) fn new(window: u64) -> Self {
        let window = window.min(MAX_CREDIT_FROM_NODE);
        Machine {
            window,
            granted: window,
            written: 0,
            queue: VecDeque::new(),
            front: 0,
            up: Half::Open,
            credit: 0,
            ahead: Vec::new(),
            down: Half::Open,
            tell: VecDeque::from([Tell::Credit(window)]),
            over: false,
        }
    }

    /// The page said something.
    pub(super) fn page_says(&mut self, said: Said) {
        if self.over {
            return; // it crossed with our `closed`
        }
        match said {
            Said::Data(bytes) => self.page_sent(bytes),
            Said::Credit(bytes) => {
                let credit = self.credit.saturating_add(bytes);
                if credit > MAX_CREDIT_FROM_PAGE {
                    return self.reset(RESET_PROTOCOL);
                }
                self.credit = credit;
                self.hand_on();
            }
            Said::CloseWrite => {
                if self.up == Half::Open {
                    self.up = Half::Ending;
                }
            }
            Said::StopReading => {
                self.down = Half::Ended;
                self.ahead = Vec::new();
                self.settle();
            }
            Said::Reset => self.end(),
            Said::Nonsense => self.reset(RESET_PROTOCOL),
        }
    }

    fn page_sent(&mut self, bytes: Vec<u8>) {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let Some(granted) = self.granted.checked_sub(length) else {
            return self.reset(RESET_PROTOCOL);
        };
        match self.up {
            Half::Open => {}
            Half::Ending => return self.reset(RESET_PROTOCOL), // data after closeWrite
            // It crossed with our stopReading.
            Half::Ended => {
                self.granted = granted;
                return;
            }
        }
        self.granted = granted;
        // Small messages are put together, or each would cost more than it holds.
        match self.queue.back_mut() {
            Some(back) if back.len().saturating_add(bytes.len()) <= READ_CHUNK => {
                back.extend_from_slice(&bytes);
            }
            _ => self.queue.push_back(bytes),
        }
    }

    /// The next bytes to be written to the stream.
    pub(super) fn to_write(&self) -> Option<&[u8]> {
        self.queue.front().and_then(|front| front.get(self.front..))
    }

    /// So many of them were written.
    pub(super) fn wrote(&mut self, count: usize) {
        self.front = self.front.saturating_add(count);
        if self
            .queue
            .front()
            .is_some_and(|front| front.len() <= self.front)
        {
            self.queue.pop_front();
            self.front = 0;
        }
        self.written = self
            .written
            .saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        // Half a window at once: a message for each write would cost more than it brings.
        if self.up == Half::Open && self.written >= self.window / 2 {
            self.granted = self.granted.saturating_add(self.written);
            self.tell.push_back(Tell::Credit(self.written));
            self.written = 0;
        }
    }

    /// Whether the stream's write side is to be closed now.
    pub(super) fn wants_close(&self) -> bool {
        self.up == Half::Ending && self.queue.is_empty()
    }

    /// It is closed.
    pub(super) fn write_closed(&mut self) {
        self.up = Half::Ended;
        self.settle();
    }

    /// The remote takes no more, in good order.
    pub(super) fn write_stopped(&mut self) {
        if self.up == Half::Ended || self.over {
            return;
        }
        // A page that has closed its side already is told too, if bytes of it are lost.
        if self.up == Half::Open || !self.queue.is_empty() {
            self.tell.push_back(Tell::StopReading);
        }
        self.queue.clear();
        self.up = Half::Ended;
        self.settle();
    }

    /// Nothing comes or goes any more but what has come already.
    pub(super) fn connection_gone(&mut self) {
        if self.down == Half::Ended {
            // Nothing is read that would end in an error.
            self.reset(RESET_REMOTE);
        } else {
            self.write_stopped();
        }
    }

    /// How many bytes may be read from the stream now; `None` while none may.
    pub(super) fn may_read(&self) -> Option<usize> {
        if self.down != Half::Open || !self.ahead.is_empty() {
            return None;
        }
        match usize::try_from(self.credit).unwrap_or(usize::MAX) {
            0 => Some(READ_AHEAD),
            credit => Some(credit.min(READ_CHUNK)),
        }
    }

    /// These bytes were read; none means that the stream has ended.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        if self.down != Half::Open {
            return;
        }
        if bytes.is_empty() {
            self.down = Half::Ending;
        } else {
            self.ahead.extend_from_slice(bytes);
        }
        self.hand_on();
    }

    /// Gives the page what it has credit for.
    fn hand_on(&mut self) {
        if self.down == Half::Ended {
            return;
        }
        let credit = usize::try_from(self.credit).unwrap_or(usize::MAX);
        if credit > 0 && !self.ahead.is_empty() {
            let rest = self.ahead.split_off(credit.min(self.ahead.len()));
            let bytes = std::mem::replace(&mut self.ahead, rest);
            let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            self.credit = self.credit.saturating_sub(length);
            // What has not been told yet goes with it: each message costs the same, however little it holds.
            match self.tell.back_mut() {
                Some(Tell::Data(last)) if last.len().saturating_add(bytes.len()) <= READ_CHUNK => {
                    last.extend_from_slice(&bytes);
                }
                _ => self.tell.push_back(Tell::Data(bytes)),
            }
        }
        if self.down == Half::Ending && self.ahead.is_empty() {
            self.tell.push_back(Tell::CloseWrite);
            self.down = Half::Ended;
            self.settle();
        }
    }

    /// Ends both ways abruptly and tells the page why.
    pub(super) fn reset(&mut self, reason: &'static str) {
        if !self.over {
            self.tell.push_back(Tell::Reset(reason));
            self.end();
        }
    }

    fn settle(&mut self) {
        if self.up == Half::Ended && self.down == Half::Ended && !self.over {
            self.end();
        }
    }

    fn end(&mut self) {
        self.queue.clear();
        self.ahead = Vec::new();
        self.up = Half::Ended;
        self.down = Half::Ended;
        self.tell.push_back(Tell::Closed);
        self.over = true;
    }

    /// What the page is to be told next.
    pub(super) fn next_tell(&mut self) -> Option<Tell> {
        self.tell.pop_front()
    }

    /// How many bytes the page is to be told, if there is nothing else to say, and more may come that go in the same message.
    pub(super) fn gathered(&self) -> Option<usize> {
        let mut tell = self.tell.iter();
        let (Some(Tell::Data(bytes)), None) = (tell.next(), tell.next()) else {
            return None;
        };
        let length = bytes.len();
        let credit = usize::try_from(self.credit).unwrap_or(usize::MAX);
        let more = (GATHER_FROM..READ_CHUNK).contains(&length)
            && length.saturating_add(credit) >= READ_CHUNK
            && self.down == Half::Open;
        more.then_some(length)
    }

    /// Whether all is over; the stream is to be dropped once the page was told everything.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }
}
