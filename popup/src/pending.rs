//! The commands that wait for an answer. Each ends exactly once: answered, too late, or with the port.

use crate::{
    error::Error,
    limits::{COMMAND_MS, MAX_PENDING},
};

/// What a command is about: the control that sent it is busy until it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Dialing an address.
    Dial,
    /// Hanging up on the peer.
    HangUp(String),
    /// Pausing or resuming.
    Pause,
    /// Whom the node is told to.
    Announced,
    /// Which STUN servers are asked.
    IceServers,
    /// Forgetting the site.
    Forget(String),
    /// What becomes of a damaged identity.
    Identity,
    /// Starting a node in safe mode.
    Start,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Waiting {
    id: u32,
    subject: Subject,
    until: u64,
}

/// The table of commands in flight.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pending {
    last: u32,
    waiting: Vec<Waiting>,
}

impl Pending {
    /// Enters a command and gives it an id that none in flight has. `now` in milliseconds.
    ///
    /// # Errors
    /// [`Error::TooMany`] when too many are in flight.
    pub fn begin(&mut self, subject: Subject, now: u64) -> Result<u32, Error> {
        if self.waiting.len() >= MAX_PENDING {
            return Err(Error::TooMany);
        }
        // Four thousand million clicks later an id comes round again; what it named was answered long before.
        self.last = self.last.wrapping_add(1);
        self.waiting.push(Waiting {
            id: self.last,
            subject,
            until: now.saturating_add(COMMAND_MS),
        });
        Ok(self.last)
    }

    /// Ends the command with this id. None for an id that is not in flight: answered before, too late, or never asked.
    pub fn answered(&mut self, id: u32) -> Option<Subject> {
        let at = self.waiting.iter().position(|waiting| waiting.id == id)?;
        Some(self.waiting.remove(at).subject)
    }

    /// Ends the commands whose time is over.
    pub fn expired(&mut self, now: u64) -> Vec<Subject> {
        self.waiting
            .extract_if(.., |waiting| waiting.until <= now)
            .map(|waiting| waiting.subject)
            .collect()
    }

    /// Ends them all: the port they were sent on is gone.
    pub fn drain(&mut self) -> Vec<Subject> {
        self.waiting
            .drain(..)
            .map(|waiting| waiting.subject)
            .collect()
    }

    /// What is in flight.
    pub fn subjects(&self) -> Vec<Subject> {
        self.waiting
            .iter()
            .map(|waiting| waiting.subject.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_ends_once() {
        let mut pending = Pending::default();
        let dial = pending.begin(Subject::Dial, 0).unwrap();
        let pause = pending.begin(Subject::Pause, 10).unwrap();
        assert_ne!(dial, pause);
        assert_eq!(pending.answered(pause), Some(Subject::Pause));
        assert_eq!(pending.answered(pause), None);
        assert_eq!(pending.answered(77), None);
        assert_eq!(pending.expired(COMMAND_MS - 1), vec![]);
        assert_eq!(pending.expired(COMMAND_MS), vec![Subject::Dial]);
        assert_eq!(pending.answered(dial), None);
        assert_eq!(
            pending,
            Pending {
                last: 2,
                ..Pending::default()
            }
        );
    }

    #[test]
    fn the_table_is_bounded_and_refuses_without_a_change() {
        let mut pending = Pending::default();
        for _ in 0..MAX_PENDING {
            pending.begin(Subject::Dial, 0).unwrap();
        }
        let before = pending.clone();
        assert_eq!(pending.begin(Subject::Dial, 0), Err(Error::TooMany));
        assert_eq!(pending, before);
        assert_eq!(pending.drain().len(), MAX_PENDING);
        assert!(pending.subjects().is_empty());
    }
}
