//! What the streams of one connection know together.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use crate::{core::budget::Budget, limits};

/// What the streams of one connection share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shared {
    pub(super) budget: Budget,
    /// The largest window of a stream, or none for a peer that does not know of windows.
    pub(super) window: Option<u64>,
    fin_ack: Arc<AtomicU8>,
}

const FIN_ACK_UNKNOWN: u8 = 0;
const FIN_ACK_SUPPORTED: u8 = 1;
const FIN_ACK_MISSING: u8 = 2;

impl Default for Shared {
    fn default() -> Self {
        Self::new(Budget::new(limits::MAX_RECEIVE_BUFFER_CONNECTION))
    }
}

impl Shared {
    /// `budget` pays for the unread bytes of all streams.
    pub fn new(budget: Budget) -> Self {
        Self {
            budget,
            window: Some(limits::MAX_WINDOW),
            fin_ack: Arc::default(),
        }
    }

    /// With another largest window than [`limits::MAX_WINDOW`].
    pub fn with_window(self, bytes: u64) -> Self {
        Self {
            window: Some(bytes),
            ..self
        }
    }

    /// As other implementations are: windows are neither announced nor told nor kept to.
    #[cfg(test)]
    pub(crate) fn without_windows(self) -> Self {
        Self {
            window: None,
            ..self
        }
    }

    /// Unread bytes of all streams.
    pub fn received(&self) -> usize {
        self.budget.used()
    }

    pub(super) fn fin_ack_timeout(&self) -> Duration {
        if self.fin_ack.load(Ordering::Relaxed) == FIN_ACK_MISSING {
            limits::FIN_ACK_TIMEOUT_OLD_PEER
        } else {
            limits::FIN_ACK_TIMEOUT
        }
    }

    pub(super) fn saw_fin_ack(&self) {
        self.fin_ack.store(FIN_ACK_SUPPORTED, Ordering::Relaxed);
    }

    pub(super) fn missed_fin_ack(&self) {
        // A remote that has ever sent one knows the flag and is merely slow.
        let _ = self.fin_ack.compare_exchange(
            FIN_ACK_UNKNOWN,
            FIN_ACK_MISSING,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }
}
