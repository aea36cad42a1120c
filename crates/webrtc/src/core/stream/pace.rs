//! How much of a stream is queued in its channel.

use std::time::Duration;

use web_time::Instant;

use super::{Channel, Stream};
use crate::limits::{
    MAX_JOINED_FRAME, QUEUE_LASTS, QUEUE_LASTS_LONG, SEND_HIGH_WATER, SEND_HIGH_WATER_LEAST,
};

/// A writer waits at the high water, and goes on at the low water, which is half of it.
#[derive(Debug)]
pub(super) struct Pace {
    high: usize,
    /// When the queue was last seen to fall to the low water with a writer waiting for it.
    fell: Option<Instant>,
}

impl Pace {
    /// The most, always.
    pub(super) fn fixed() -> Self {
        Self {
            high: SEND_HIGH_WATER,
            fell: None,
        }
    }

    /// The least until it turns out to be sent in no time.
    pub(super) fn adaptive() -> Self {
        Self {
            high: SEND_HIGH_WATER_LEAST,
            fell: None,
        }
    }

    pub(super) fn high_water(&self) -> usize {
        self.high
    }

    pub(super) fn low_water(&self) -> usize {
        self.high / 2
    }

    /// The queue has fallen to the low water. `full`: a writer has filled it before, and waits.
    pub(super) fn on_low_water(&mut self, full: bool, now: Instant) {
        let Some(fell) = std::mem::replace(&mut self.fell, full.then_some(now)) else {
            return;
        };
        if !full {
            return;
        }
        // Since then half of the queue has been written, and sent.
        let lasted: Duration = now.saturating_duration_since(fell);
        if lasted < QUEUE_LASTS {
            self.high = self.high.saturating_mul(2).min(SEND_HIGH_WATER);
        } else if lasted > QUEUE_LASTS_LONG {
            self.high = (self.high / 2).max(SEND_HIGH_WATER_LEAST);
        }
    }
}

impl Stream {
    /// The same, of a channel that sends what it is given in an order of its own. How much it is given at once then goes by how
    /// fast it sends: see [`Stream::on_low_water`].
    pub fn paced(mut self) -> Self {
        self.pace = Pace::adaptive();
        self
    }

    /// To what the channel's send queue falls before a writer that waits goes on.
    pub fn low_water(&self) -> usize {
        self.pace.low_water()
    }

    /// The channel's own send queue has fallen to [`Stream::low_water`], which may be another one afterwards, and holds
    /// `bytes`.
    pub fn on_low_water(&mut self, bytes: usize, now: Instant) {
        // One that waits for the window says nothing of the queue.
        let full = self.writer_blocked && self.allowance.room() > 0;
        self.pace.on_low_water(full, now);
        self.on_buffered_amount(bytes);
    }

    /// The channel's own send queue holds `bytes` now. Call it when it fell to
    /// [`Stream::low_water`], and before [`Stream::on_timer`].
    pub fn on_buffered_amount(&mut self, bytes: usize) {
        self.buffered = bytes;
        self.unblock_writer();
        self.grant_late();
    }

    /// Whether what is to be sent is so little that more may join it. A backend that lets it wait must send it at the end
    /// of its turn, asked or not: nobody is told that something waits.
    pub fn may_wait(&self) -> bool {
        // Nor is there a hurry when only the FIN_ACK is missing.
        let open = self.channel == Channel::Open
            || (self.channel == Channel::Closing && self.ended_in_order());
        open && (1..MAX_JOINED_FRAME).contains(&self.outbox_bytes)
    }

    pub(super) fn queued(&self) -> usize {
        self.outbox_bytes.saturating_add(self.buffered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the queue comes to when so many bytes are sent in a millisecond, as fast as they are written.
    fn settled(pace: &mut Pace, bytes_a_ms: usize) -> usize {
        let mut now = Instant::now();
        for _ in 0..20 {
            let micros = pace.low_water() * 1000 / bytes_a_ms;
            now += Duration::from_micros(micros as u64);
            pace.on_low_water(true, now);
        }
        pace.high_water()
    }

    #[test]
    fn a_queue_lasts_some_milliseconds() {
        let mut pace = Pace::adaptive();
        assert_eq!(settled(&mut pace, 5_000), SEND_HIGH_WATER_LEAST);
        assert_eq!(settled(&mut pace, 100_000), SEND_HIGH_WATER);
        let between = settled(&mut pace, 50_000);
        assert!((2 * 50_000..=SEND_HIGH_WATER).contains(&between));
        assert_eq!(settled(&mut pace, 1_000_000), SEND_HIGH_WATER);
        assert_eq!(settled(&mut pace, 1_000), SEND_HIGH_WATER_LEAST);
    }

    #[test]
    fn a_writer_with_little_to_say_says_nothing_about_the_path() {
        let mut pace = Pace::adaptive();
        let mut now = Instant::now();
        for full in [false, true, false, true, false] {
            now += Duration::from_micros(1);
            pace.on_low_water(full, now);
            assert_eq!(pace.high_water(), SEND_HIGH_WATER_LEAST);
        }
    }
}
