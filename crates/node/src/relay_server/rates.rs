//! How often somebody may ask.

use std::{collections::HashMap, hash::Hash, time::Duration};

use web_time::Instant;

use crate::limits::RELAY_RATES;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// A number of requests an hour for each of many.
///
/// For each one there is a time: when the requests made so far would have been due, had they come evenly. A request is one too many
/// when that is an hour ahead. Who has none is remembered no longer, and of more than the table holds, those seen last stay.
#[derive(Debug)]
pub(super) struct Rates<K> {
    interval: Duration,
    recent: HashMap<K, Instant>,
    older: HashMap<K, Instant>,
}

impl<K: Copy + Eq + Hash> Rates<K> {
    pub(super) fn per_hour(count: u32) -> Self {
        Self {
            interval: HOUR.checked_div(count).unwrap_or(HOUR),
            recent: HashMap::new(),
            older: HashMap::new(),
        }
    }

    /// May it ask now?
    pub(super) fn allows(&self, key: &K, now: Instant) -> bool {
        let due = self.recent.get(key).or_else(|| self.older.get(key));
        let ahead = due.map_or(Duration::ZERO, |due| due.saturating_duration_since(now));
        ahead.saturating_add(self.interval) <= HOUR
    }

    /// It has asked.
    pub(super) fn count(&mut self, key: K, now: Instant) {
        let before = self.recent.remove(&key).or_else(|| self.older.remove(&key));
        let due = before.map_or(now, |due| due.max(now));
        if self.recent.len() >= RELAY_RATES {
            self.older = std::mem::take(&mut self.recent);
            self.older.retain(|_, due| *due > now);
        }
        self.recent
            .insert(key, due.checked_add(self.interval).unwrap_or(due));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_are_allowed_and_then_one_at_a_time() {
        let start = Instant::now();
        let mut rates = Rates::per_hour(60);
        for _ in 0..60 {
            assert!(rates.allows(&1, start));
            rates.count(1, start);
        }
        assert!(!rates.allows(&1, start));
        assert!(rates.allows(&2, start));
        assert!(!rates.allows(&1, start + Duration::from_secs(59)));
        let later = start + Duration::from_secs(60);
        assert!(rates.allows(&1, later));
        rates.count(1, later);
        assert!(!rates.allows(&1, later));
        // After an hour it is as if nothing had been.
        let much_later = later + HOUR;
        for _ in 0..60 {
            assert!(rates.allows(&1, much_later));
            rates.count(1, much_later);
        }
        assert!(!rates.allows(&1, much_later));
    }

    #[test]
    fn the_table_is_bounded_and_keeps_those_seen_last() {
        let now = Instant::now();
        let mut rates = Rates::per_hour(1);
        for key in 0..RELAY_RATES * 5 {
            rates.count(key, now);
            assert!(rates.recent.len() + rates.older.len() <= RELAY_RATES * 2);
            assert!(!rates.allows(&key, now));
        }
        assert!(!rates.allows(&(RELAY_RATES * 4 + 1), now));
        assert!(rates.allows(&0, now));
    }
}
