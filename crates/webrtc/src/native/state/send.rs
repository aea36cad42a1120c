//! What streams send: each in its turn, a bounded number of bytes on the way.

use super::State;
use crate::native::limits;

impl State {
    /// Hands frames to SCTP, a bounded number of bytes at a time, each stream in its turn, so that a small one does
    /// not wait behind all of a large one.
    pub(super) fn take_turns(&mut self) -> bool {
        let mut progress = false;
        let mut in_flight: usize = self.in_flight.values().sum();
        while in_flight < limits::SEND_BUFFER {
            let Some(key) = self.turns.pop_front() else {
                break;
            };
            let Some(entry) = self.entries.get_mut(&key) else {
                continue;
            };
            entry.queued = false;
            let Some(channel) = entry.channel else {
                continue;
            };
            let mut given = 0_usize;
            while given < limits::SEND_TURN {
                let Some(frame) = entry.pending.pop_front() else {
                    break;
                };
                entry.pending_bytes = entry.pending_bytes.saturating_sub(frame.len());
                given = given.saturating_add(frame.len());
                if !self.session.write(channel, frame) {
                    // The peer has closed the channel; the event for it is on its way.
                    entry.pending.clear();
                    entry.pending_bytes = 0;
                }
            }
            progress = true;
            in_flight = in_flight.saturating_add(given);
            if given > 0 {
                let total = self.in_flight.entry(channel).or_default();
                *total = total.saturating_add(given);
            }
            if !entry.pending.is_empty() {
                entry.queued = true;
                self.turns.push_back(key);
            } else if entry.closing {
                entry.channel = None;
                self.channels.remove(&channel);
                self.session.close(channel);
                tracing::trace!(channel, "closed a channel");
                self.forget_if_done(key);
            }
        }
        progress
    }

    /// Tells streams how much of what they wrote is still on its way.
    pub(super) fn acknowledge(&mut self) {
        let Self {
            session,
            in_flight,
            channels,
            entries,
            touched,
            ..
        } = self;
        in_flight.retain(|channel, known| {
            let now = session.buffered(*channel);
            if now == *known {
                return true;
            }
            *known = now;
            if let Some((key, entry)) = channels
                .get(channel)
                .and_then(|key| Some((*key, entries.get_mut(key)?)))
            {
                entry
                    .stream
                    .on_buffered_amount(entry.pending_bytes.saturating_add(now));
                if !std::mem::replace(&mut entry.touched, true) {
                    touched.push_back(key);
                }
            }
            now > 0
        });
    }
}
