//! What can be decided without a browser: natively tested, and driven by `web`.

pub mod calls;
pub mod channel;
pub mod credit;
pub mod mailbox;
pub mod wanted;
