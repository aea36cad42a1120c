//! How much of a stream is queued in its channel.

use std::time::Duration;

use web_time::Instant;

use crate::limits::{QUEUE_LASTS, QUEUE_LASTS_LONG, SEND_HIGH_WATER, SEND_HIGH_WATER_LEAST};

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
