//! How often a peer may begin.

use std::time::Duration;

use web_time::Instant;

/// A number of attempts at once, and then one every so often.
#[derive(Debug)]
pub struct Rate {
    burst: u32,
    every: Duration,
    left: u32,
    refilled: Instant,
}

impl Rate {
    /// `burst` attempts at once, then one `every`.
    pub fn new(burst: u32, every: Duration, now: Instant) -> Self {
        Self {
            burst,
            every,
            left: burst,
            refilled: now,
        }
    }

    /// Takes one attempt. `false`: none is left now.
    #[must_use]
    pub fn take(&mut self, now: Instant) -> bool {
        while self.left < self.burst {
            match self.refilled.checked_add(self.every) {
                Some(at) if at <= now => {
                    self.refilled = at;
                    self.left = self.left.saturating_add(1);
                }
                _ => break,
            }
        }
        if self.left == self.burst {
            // Nothing is saved up beyond the burst.
            self.refilled = now;
        }
        let taken = self.left > 0;
        self.left = self.left.saturating_sub(1);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_a_burst_and_then_one_at_a_time() {
        let (second, mut now) = (Duration::from_secs(1), Instant::now());
        let mut rate = Rate::new(3, second, now);
        let take = |rate: &mut Rate, now| (0..9).filter(|_| rate.take(now)).count();
        assert_eq!(take(&mut rate, now), 3);
        now += second / 2;
        assert_eq!(take(&mut rate, now), 0);
        now += second / 2;
        assert_eq!(take(&mut rate, now), 1);
        now += 100 * second;
        assert_eq!(take(&mut rate, now), 3);
    }
}
