//! Whether the node can be heard: what the popup knows from its port and the clock alone.

use crate::limits::{LOOKING_MS, RESTARTING_MS};

/// What can be said about the node from the port to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The popup has just opened and has not heard anything yet.
    Looking,
    /// The node speaks; what it says is shown.
    Live,
    /// It spoke and has fallen silent: it is being started again.
    Restarting,
    /// Nothing has been heard for long enough to say that it is not running. It is still being asked for.
    Missing,
    /// Asking for it has not helped.
    Gone,
}

/// The port's story so far. Times are milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    heard_before: bool,
    live: bool,
    silent_since: u64,
}

impl Link {
    /// The popup opens.
    pub const fn new(now: u64) -> Self {
        Link {
            heard_before: false,
            live: false,
            silent_since: now,
        }
    }

    /// The node said how it is.
    pub const fn heard(&mut self) {
        self.heard_before = true;
        self.live = true;
    }

    /// The port closed, or could not be opened. The silence counts from the first time.
    pub const fn lost(&mut self, now: u64) {
        if self.live {
            self.silent_since = now;
        }
        self.live = false;
    }

    /// The user asks for a restart: patience begins anew.
    pub const fn again(&mut self, now: u64) {
        if !self.live {
            self.silent_since = now;
        }
    }

    /// What to say at this time. A clock that was set back makes the silence no longer than none.
    pub fn phase(&self, now: u64) -> Phase {
        let silence = now.saturating_sub(self.silent_since);
        if self.live {
            Phase::Live
        } else if silence >= RESTARTING_MS {
            Phase::Gone
        } else if silence >= LOOKING_MS {
            Phase::Missing
        } else if self.heard_before {
            Phase::Restarting
        } else {
            Phase::Looking
        }
    }

    /// How many milliseconds from now what to say of a silent node changes; none when only the node can change it.
    pub fn next_change(&self, now: u64) -> Option<u64> {
        if self.live {
            return None;
        }
        let silence = now.saturating_sub(self.silent_since);
        [LOOKING_MS, RESTARTING_MS]
            .into_iter()
            .filter_map(|patience| patience.checked_sub(silence))
            .find(|left| *left > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_popup_that_hears_nothing_says_so_within_two_seconds() {
        let link = Link::new(1_000);
        assert_eq!(link.phase(1_000), Phase::Looking);
        assert_eq!(link.phase(999), Phase::Looking);
        assert_eq!(link.phase(1_000 + LOOKING_MS), Phase::Missing);
        const { assert!(LOOKING_MS < 2_000) };
        assert_eq!(link.phase(1_000 + RESTARTING_MS), Phase::Gone);
    }

    #[test]
    fn the_next_change_is_when_the_phase_changes() {
        let mut link = Link::new(1_000);
        let mut now = 1_000;
        let mut phases = vec![link.phase(now)];
        while let Some(left) = link.next_change(now) {
            assert_eq!(link.phase(now + left - 1), link.phase(now), "not before");
            now += left;
            phases.push(link.phase(now));
        }
        assert_eq!(phases, [Phase::Looking, Phase::Missing, Phase::Gone]);
        // A timer that rings early is set again.
        assert_eq!(link.next_change(1_000 + LOOKING_MS - 1), Some(1));
        link.heard();
        assert_eq!(link.next_change(now), None);
    }

    #[test]
    fn attempts_that_fail_do_not_start_the_wait_again() {
        let mut link = Link::new(0);
        link.lost(LOOKING_MS - 1);
        assert_eq!(link.phase(LOOKING_MS), Phase::Missing);
    }

    #[test]
    fn a_node_that_falls_silent_is_restarting_then_missing_and_live_again_when_it_speaks() {
        let mut link = Link::new(0);
        link.heard();
        assert_eq!(link.phase(1_000_000), Phase::Live);
        link.lost(1_000_000);
        assert_eq!(link.phase(1_000_001), Phase::Restarting);
        link.lost(1_000_500);
        assert_eq!(link.phase(1_000_000 + LOOKING_MS), Phase::Missing);
        assert_eq!(link.phase(1_000_000 + RESTARTING_MS), Phase::Gone);
        link.again(2_000_000);
        assert_eq!(link.phase(2_000_000), Phase::Restarting);
        link.heard();
        assert_eq!(link.phase(9_000_000), Phase::Live);
    }
}
