//! Whether sites that hold nothing are told that there is a node: the user may not want every site to know.

use std::{cell::Cell, rc::Rc, time::Duration};

use mooring_api::{ErrorCode, ErrorObject};

use crate::{
    Area, Error, Platform, Value,
    error::error,
    host::Core,
    limits::{RESTART_MAX, RESTART_MIN},
    slots,
};

/// Where the user's choice is kept. The extension's own scripts read it too, for the time that there is no host.
const KEY: &str = "announce";
const EVERYWHERE: &str = "everywhere";
const ALLOWED: &str = "allowed";

/// Who hears of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Announced {
    /// Every site.
    Everywhere,
    /// Sites that hold a permission.
    Allowed,
    /// It could not be read yet. Sites that hold nothing are sent away, and try again.
    Unread,
}

/// What the user chose.
pub(crate) struct Announcing(Cell<Announced>);

impl Announcing {
    pub(crate) async fn load(platform: &dyn Platform) -> Self {
        Announcing(Cell::new(read(platform).await.unwrap_or_else(|fault| {
            tracing::error!(%fault, "who is to hear of the node cannot be read");
            Announced::Unread
        })))
    }

    pub(crate) fn now(&self) -> Announced {
        self.0.get()
    }

    /// Whether sites that hold nothing are told.
    pub(crate) fn everywhere(&self) -> bool {
        self.now() == Announced::Everywhere
    }

    /// The user chose.
    pub(crate) async fn set(&self, core: &Core, everywhere: bool) -> Result<(), ErrorObject> {
        let (now, stored) = if everywhere {
            (Announced::Everywhere, EVERYWHERE)
        } else {
            (Announced::Allowed, ALLOWED)
        };
        self.0.set(now);
        core.changed.notify();
        slots::set(&*core.platform, Area::Storage, KEY, stored)
            .await
            .map_err(|fault| {
                error(
                    ErrorCode::Internal,
                    "It holds for now, but could not be stored.",
                )
                .with_detail(fault.to_string())
            })
    }
}

async fn read(platform: &dyn Platform) -> Result<Announced, Error> {
    Ok(match slots::get(platform, Area::Storage, KEY).await? {
        None => Announced::Everywhere,
        Some(Value::Text(stored)) if stored == EVERYWHERE => Announced::Everywhere,
        Some(_) => Announced::Allowed,
    })
}

/// Reads the choice again until it can be read, or the user chose anew.
pub(crate) async fn settle(core: Rc<Core>) {
    let mut pause: Duration = RESTART_MIN;
    while core.announcing.0.get() == Announced::Unread {
        core.platform.sleep(pause).await;
        pause = pause.saturating_mul(2).min(RESTART_MAX);
        if let Ok(found) = read(&*core.platform).await
            && core.announcing.0.get() == Announced::Unread
        {
            core.announcing.0.set(found);
            core.changed.notify();
        }
    }
}
