//! The peers that the node remembers beyond the browser's end. Without them it starts all the same: what cannot be read costs a
//! word in the log and in the popup.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use mooring_node::KnownPeers;

use crate::{
    Area, Error, Platform,
    host::Core,
    limits::KNOWN_PEERS_EVERY,
    slots::{Found, Slots},
};

const SLOTS: Slots = Slots::new(Area::Storage, "peers");

/// What is stored, and what the node is to have of it.
#[derive(Default)]
pub(crate) struct Remembered {
    /// What a node begins with: what was stored, then what the last one knew.
    peers: RefCell<KnownPeers>,
    /// What the running node does not know of, because it could not be read when that began.
    late: RefCell<KnownPeers>,
    /// The text that is stored, if it is known.
    stored: RefCell<Option<String>>,
    trouble: RefCell<Option<String>>,
    reading: Cell<bool>,
}

impl Remembered {
    /// What a node is to begin with. Never fails.
    pub(crate) async fn read(&self, platform: &dyn Platform) -> KnownPeers {
        self.load(platform).await;
        self.late.take();
        self.peers.borrow().clone()
    }

    /// What could not be read, in words for the user.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    /// Reads what is stored, unless that is known.
    async fn load(&self, platform: &dyn Platform) {
        if self.stored.borrow().is_some() || self.reading.replace(true) {
            return;
        }
        let found = SLOTS.read(platform).await;
        self.reading.set(false);
        if found.is_ok() {
            self.trouble.take();
        }
        let text = match found {
            Ok(Found::Nothing) => KnownPeers::default().encode(),
            Ok(Found::Record(text)) => match KnownPeers::decode(&text) {
                Ok(peers) => {
                    let mut now = self.peers.borrow_mut();
                    *now = std::mem::take(&mut *now).and(&peers);
                    *self.late.borrow_mut() = peers;
                    text
                }
                Err(fault) => self.put_aside(platform, &fault.to_string()).await,
            },
            Ok(Found::Damaged) => self.put_aside(platform, "they are damaged").await,
            Err(fault) => {
                self.note(&fault.to_string());
                // Nothing is known of what is there, so it is left alone until it can be read.
                return;
            }
        };
        *self.stored.borrow_mut() = Some(text);
    }

    async fn put_aside(&self, platform: &dyn Platform, why: &str) -> String {
        self.note(why);
        if let Err(fault) = SLOTS.put_aside(platform).await {
            tracing::error!(%fault, "what was stored of peers could not be kept aside");
        }
        // What is there now is written over by the first that is worth it.
        KnownPeers::default().encode()
    }

    fn note(&self, why: &str) {
        tracing::error!(why, "the peers known from before cannot be read");
        *self.trouble.borrow_mut() = Some(format!(
            "The peers known from before cannot be read: {why}. The node begins without them."
        ));
    }

    /// Stores what the node knows now, if that is another thing than what is stored.
    ///
    /// # Errors
    /// Where storage could not be read or written; what was stored before is what the next start reads then.
    async fn store(&self, platform: &dyn Platform, known: KnownPeers) -> Result<(), Error> {
        self.load(platform).await;
        let known = known.and(&self.late.borrow());
        *self.peers.borrow_mut() = known.clone();
        let text = known.encode();
        let stored = self.stored.borrow().clone();
        if stored.is_none() || stored.as_ref() == Some(&text) {
            return Ok(());
        }
        SLOTS.write(platform, &text).await?;
        *self.stored.borrow_mut() = Some(text);
        Ok(())
    }
}

/// Stores what the node knows, as long as the host lives.
pub(crate) async fn keep(core: Rc<Core>) {
    loop {
        let seen = core.changed.seen();
        if let Some(node) = core.node.running()
            // One that ends has been asked before.
            && let Ok(known) = node.known_peers().await
            && let Err(fault) = core.remembered.store(&*core.platform, known).await
        {
            tracing::warn!(%fault, "the node's peers could not be stored");
        }
        core.changed.changed(seen).await;
        core.platform.sleep(KNOWN_PEERS_EVERY).await;
    }
}

#[cfg(test)]
mod tests;
