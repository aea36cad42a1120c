//! What the host needs of the world around it. `web` makes it out of the browser, the tests out of memory.

use std::time::Duration;

use futures::future::LocalBoxFuture;

use crate::Value;

/// Who we are, for announcements and for the identify protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The extension's own origin.
    pub extension_origin: String,
    /// The product's name.
    pub product: String,
    /// The product's version.
    pub version: String,
    /// `chrome` or `firefox`.
    pub browser: String,
}

/// A part of the extension's storage. Both are for trusted contexts only; content scripts cannot read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Area {
    /// Outlives the browser.
    Storage,
    /// Ends with the browser, and outlives this host.
    Session,
}

/// Something the platform could not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PlatformError(pub String);

/// The world around the host. Futures need not be `Send`: there is one thread.
#[async_trait::async_trait(?Send)]
pub trait Platform {
    /// Who we are.
    fn about(&self) -> &About;

    /// Runs a task to its end.
    fn spawn(&self, task: LocalBoxFuture<'static, ()>);

    /// Waits.
    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'static, ()>;

    /// Time since some moment, never running backwards.
    fn uptime(&self) -> Duration;

    /// Milliseconds since 1970, by a clock that people set.
    fn now_ms(&self) -> u64;

    /// What is stored under a key; `None` (or `Null`) where there is nothing. What comes is not to be trusted.
    async fn get(&self, area: Area, key: &str) -> Result<Option<Value>, PlatformError>;

    /// Stores a text. When this returns, it is there.
    async fn set(&self, area: Area, key: &str, value: &str) -> Result<(), PlatformError>;

    /// Removes a key; one that is not there is no error.
    async fn remove(&self, area: Area, key: &str) -> Result<(), PlatformError>;

    /// Opens a window with the prompt page for this id.
    async fn open_prompt(&self, id: &str) -> Result<(), PlatformError>;

    /// Closes it, if it is open.
    async fn close_prompt(&self, id: &str) -> Result<(), PlatformError>;

    /// Shows the state on the extension's button.
    fn set_badge(&self, state: &str, connections: u32);
}

/// What the browser vouches for about the other end of a port. Nothing that the other end says is in here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sender {
    /// The port's name.
    pub name: String,
    /// The document's origin.
    pub origin: Option<String>,
    /// The document's address.
    pub url: Option<String>,
    /// The document's tab.
    pub tab_id: Option<i64>,
    /// The document's frame; 0 is the top one.
    pub frame_id: Option<i64>,
    /// The document's own id, where the browser has such.
    pub document_id: Option<String>,
    /// `active`, `prerender` …, where the browser says.
    pub lifecycle: Option<String>,
    /// One of the extension's own pages.
    pub extension: bool,
}

/// The way back through a port.
pub trait Outlet {
    /// Sends a message to the other end. A port that is gone swallows it.
    fn post(&self, message: Value);

    /// Disconnects the port.
    fn close(&self);
}
