//! The host as a whole, driven the way the extension's ports drive it.

mod dispatch;
mod handlers;
mod network;
mod pages;
mod permissions;
mod popup;
mod private_streams;
mod remote;
pub(crate) mod support;
mod topics;
