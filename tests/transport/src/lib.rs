//! A libp2p node for a browser page, with nothing but a WebRTC transport, ping, identify and raw
//! streams. The interoperability tests and the benchmarks drive it; nothing ships it.

mod pattern;

#[cfg(target_arch = "wasm32")]
mod echo;
#[cfg(target_arch = "wasm32")]
mod measure;
#[cfg(target_arch = "wasm32")]
mod probe;

pub use pattern::Pattern;
