//! Whose dials begin, and whose wait: each owner has a share of what is tried at once, and of what waits.
//!
//! What its owner gave up counts until the swarm says that it has ended. The swarm can abort a dial only together with all others to the
//! same peer (`Swarm::disconnect_peer_id`), whoever they are for, and not at all where it knows no peer.

use std::collections::{HashMap, HashSet};

use super::{Dial, Dials};
use crate::{
    limits::{DIAL_CONCURRENCY, Share},
    types::Owner,
};

/// What has been taken of a share.
#[derive(Default)]
struct Taken<'a> {
    by: HashMap<Option<&'a Owner>, usize>,
    by_sites: usize,
}

impl<'a> Taken<'a> {
    fn add(&mut self, owner: Option<&'a Owner>, count: usize) {
        let own = self.by.entry(owner).or_default();
        *own = own.saturating_add(count);
        if is_site(owner) {
            self.by_sites = self.by_sites.saturating_add(count);
        }
    }

    fn has_room(&self, share: Share, owner: Option<&Owner>, count: usize) -> bool {
        let own = self.by.get(&owner).copied().unwrap_or_default();
        let most = if is_site(owner) {
            share.each.min(share.sites.saturating_sub(self.by_sites))
        } else {
            share.each
        };
        // One that is more than the whole share has its turn when nothing else is there.
        own.saturating_add(count.min(share.each)) <= most
    }
}

/// The node itself and the user depend on no site.
fn is_site(owner: Option<&Owner>) -> bool {
    owner.is_some_and(|owner| *owner != Owner::user())
}

impl Dial {
    /// Addresses that are tried at the same time, or will be.
    fn width(&self) -> usize {
        match (self.peer, self.attempts) {
            (Some(_), _) => self.addresses.len().min(DIAL_CONCURRENCY.get().into()),
            // Each is an attempt of its own.
            (None, 0) => self.addresses.len(),
            (None, left) => left,
        }
    }

    fn is_waited_for(&self) -> bool {
        self.waiters.iter().any(|w| !w.reply.is_canceled())
    }
}

impl Dials {
    /// May one more of this owner wait?
    pub(super) fn may_wait(&mut self, share: Share, owner: Option<&Owner>) -> bool {
        self.drop_abandoned();
        let mut taken = Taken::default();
        for dial in self.dials.values().filter(|dial| !dial.begun) {
            taken.add(dial.owner.as_ref(), 1);
        }
        taken.has_room(share, owner, 1)
    }

    /// The dial to begin with, if there is one: those of an owner in their order.
    pub(super) fn next_to_begin(&mut self, share: Share) -> Option<u64> {
        if self.dials.values().all(|dial| dial.begun) {
            return None;
        }
        self.drop_abandoned();
        let mut taken = Taken::default();
        for dial in self.dials.values().filter(|dial| dial.begun) {
            taken.add(dial.owner.as_ref(), dial.width());
        }
        let mut passed = HashSet::new();
        for (key, dial) in self.dials.iter().filter(|(_, dial)| !dial.begun) {
            let owner = dial.owner.as_ref();
            if !passed.contains(&owner) && taken.has_room(share, owner, dial.width()) {
                return Some(*key);
            }
            passed.insert(owner);
        }
        None
    }

    /// Forgets what has not begun and nobody waits for any more.
    fn drop_abandoned(&mut self) {
        self.dials
            .retain(|_, dial| dial.begun || dial.is_waited_for());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: Share = Share { each: 4, sites: 8 };

    fn site(name: &str) -> Owner {
        Owner::new(format!("https://{name}.example"))
    }

    /// Takes one after the other while there is room; how many.
    fn takes<'a>(taken: &mut Taken<'a>, owner: Option<&'a Owner>, count: usize) -> usize {
        let mut times = 0;
        while taken.has_room(SHARE, owner, count) {
            taken.add(owner, count.min(SHARE.each));
            times += 1;
        }
        times
    }

    #[test]
    fn whoever_comes_finds_room() {
        let (one, two, three, four) = (site("1"), site("2"), site("3"), site("4"));
        let (five, user) = (site("5"), Owner::user());
        let mut taken = Taken::default();
        assert_eq!(takes(&mut taken, Some(&one), 1), 4);
        // No more than is left for those who have none yet.
        assert_eq!(takes(&mut taken, Some(&two), 1), 2);
        assert_eq!(takes(&mut taken, Some(&three), 1), 1);
        assert_eq!(takes(&mut taken, Some(&four), 1), 1);
        assert_eq!(takes(&mut taken, Some(&five), 1), 0);
        // The user and the node have their own.
        assert_eq!(takes(&mut taken, Some(&user), 1), 4);
        assert_eq!(takes(&mut taken, None, 1), 4);
    }

    #[test]
    fn what_is_more_than_the_share_has_its_turn_alone() {
        let one = site("1");
        let mut taken = Taken::default();
        assert_eq!(takes(&mut taken, Some(&one), 9), 1);
        let mut taken = Taken::default();
        taken.add(Some(&one), 1);
        assert_eq!(takes(&mut taken, Some(&one), 9), 0);
    }
}
