//! The host as a whole, driven the way the extension's ports drive it.

mod dispatch;
mod network;
mod pages;
mod permissions;
mod popup;
pub(crate) mod support;
