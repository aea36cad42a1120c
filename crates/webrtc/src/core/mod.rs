//! What both backends share, free of I/O and of any platform: bytes and events in, bytes and
//! events out. Everything here runs in native tests.
//!
//! - [`frame`]: the protobuf frames that carry a stream on a data channel
//! - [`stream`]: the state machine of one stream
//! - [`sdp`]: the synthetic answer, and reading our own offer
//! - [`address`]: `/webrtc-direct` multiaddrs
//! - [`certhash`]: certificate fingerprints as multihash and as SDP writes them
//! - [`ufrag`]: the ICE credentials that tell v1 and v2 apart
//! - [`noise`]: the handshake that authenticates the remote
//! - [`signalling`]: how two nodes behind a relay agree on a direct connection

pub mod address;
pub mod budget;
pub mod certhash;
pub mod frame;
pub mod noise;
pub mod sdp;
pub mod signalling;
pub mod stream;
pub mod ufrag;
