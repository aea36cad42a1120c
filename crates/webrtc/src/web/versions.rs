//! Which version of webrtc-direct a server answered last.

use std::collections::{HashMap, VecDeque};

use crate::{
    core::{certhash::Fingerprint, ufrag::Version},
    limits::MAX_REMEMBERED_VERSIONS,
};

/// A bounded memory, by certificate: every address names one, while not every address names the
/// peer. The version remembered longest is forgotten first.
#[derive(Debug, Default)]
pub(super) struct Versions {
    versions: HashMap<Fingerprint, Version>,
    order: VecDeque<Fingerprint>,
}

impl Versions {
    /// The version to try first.
    pub(super) fn preferred(&self, server: &Fingerprint) -> Version {
        self.versions.get(server).copied().unwrap_or(Version::V2)
    }

    pub(super) fn answered(&mut self, server: Fingerprint, version: Version) {
        if self.versions.insert(server, version).is_none() {
            self.order.push_back(server);
        }
        while self.order.len() > MAX_REMEMBERED_VERSIONS {
            if let Some(oldest) = self.order.pop_front() {
                self.versions.remove(&oldest);
            }
        }
    }
}
