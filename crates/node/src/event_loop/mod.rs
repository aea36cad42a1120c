//! The node's one task.

use crate::{Config, Error, Handle};

/// The node's one task: owns the swarm and all tables. Nothing happens unless [`run`](Self::run) is polled.
pub struct EventLoop {
    _commands: async_channel::Receiver<crate::handle::Command>,
}

/// Builds a node. On a server, within a tokio runtime.
///
/// # Errors
/// `Listen` when a listen address cannot be used, `Config` for other unusable values.
pub fn new(_config: Config) -> Result<(Handle, EventLoop), Error> {
    todo!()
}

impl EventLoop {
    /// Runs the node. Ends after [`Handle::shutdown`], or when every handle is dropped.
    pub async fn run(self) {
        todo!()
    }
}
