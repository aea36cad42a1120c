//! A libp2p node for a browser page, with nothing but the WebRTC transport, ping, identify and raw
//! streams. The interoperability tests drive it; nothing ships it.

#[cfg(target_arch = "wasm32")]
mod echo;
#[cfg(target_arch = "wasm32")]
mod probe;
