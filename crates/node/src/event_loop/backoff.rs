//! Growing pauses between attempts.

use std::time::Duration;

/// `first`, doubled so many times, and never more than `most`.
pub(super) fn backoff(first: Duration, most: Duration, doublings: u32) -> Duration {
    let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
    first.saturating_mul(factor).min(most)
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_most() {
        let (first, most) = (Duration::from_secs(5), Duration::from_secs(600));
        let pauses = [0, 1, 2, 6, 7, 31, 32, u32::MAX].map(|n| backoff(first, most, n).as_secs());
        assert_eq!(pauses, [5, 10, 20, 320, 600, 600, 600, 600]);
        assert!(backoff(first, Duration::MAX, u32::MAX) > most);
    }
}
