//! The host as a whole, driven the way the extension's ports drive it.

mod dispatch;
mod network;
mod pages;
mod permissions;
mod popup;
mod private_streams;
pub(crate) mod support;
