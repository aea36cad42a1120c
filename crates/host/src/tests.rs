//! The host as a whole, driven the way the extension's ports drive it.

mod dispatch;
mod pages;
pub(crate) mod support;
