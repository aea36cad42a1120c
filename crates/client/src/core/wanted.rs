//! What the app wants of the node until it says otherwise. The node forgets it when it is started anew, when the extension is reloaded, and
//! when the document goes to the back/forward cache: it is told again then.

use std::collections::BTreeMap;

/// What sort of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Events, by name.
    Event,
    /// Topics.
    Topic,
    /// Protocols of inbound streams.
    Protocol,
}

/// How many in the app want each. Its size is bounded by the node, which refuses more than an origin may have.
#[derive(Debug, Default)]
pub struct Wanted {
    counts: BTreeMap<(Kind, String), usize>,
}

impl Wanted {
    /// Wanted once more.
    pub fn add(&mut self, kind: Kind, name: &str) {
        let count = self.counts.entry((kind, name.to_owned())).or_default();
        *count = count.saturating_add(1);
    }

    /// Wanted once less; true after the last.
    pub fn remove(&mut self, kind: Kind, name: &str) -> bool {
        let key = (kind, name.to_owned());
        match self.counts.get_mut(&key) {
            Some(count) if *count > 1 => {
                *count = count.saturating_sub(1);
                false
            }
            Some(_) => self.counts.remove(&key).is_some(),
            None => false,
        }
    }

    /// Whether anybody wants it.
    pub fn has(&self, kind: Kind, name: &str) -> bool {
        self.counts.contains_key(&(kind, name.to_owned()))
    }

    /// All of it.
    pub fn all(&self) -> Vec<(Kind, String)> {
        self.counts.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_wanted_until_the_last_one_wants_it_no_more() {
        let mut wanted = Wanted::default();
        wanted.add(Kind::Topic, "a");
        wanted.add(Kind::Topic, "a");
        wanted.add(Kind::Protocol, "a");
        assert!(!wanted.remove(Kind::Topic, "a"));
        assert!(wanted.has(Kind::Topic, "a"));
        assert!(wanted.remove(Kind::Topic, "a"));
        assert!(!wanted.remove(Kind::Topic, "a"));
        assert_eq!(wanted.all(), [(Kind::Protocol, "a".to_owned())]);
    }
}
