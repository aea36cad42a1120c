//! The host as a whole, driven the way the extension's ports drive it.

mod dht;
mod dispatch;
mod handlers;
mod network;
mod pages;
mod permissions;
mod popup;
mod private_streams;
mod private_visits;
mod quotas;
mod remote;
pub(crate) mod support;
mod topics;
