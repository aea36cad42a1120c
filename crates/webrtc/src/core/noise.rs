//! The Noise handshake that proves who is at the other end of a DTLS connection
//! (libp2p/specs webrtc/webrtc-direct.md, "Connection Security").
//!
//! It runs over channel 0 (negotiated). The **server is the initiator** and the client the responder, because
//! with DTLS 1.2 the server can send first. The prologue binds the handshake to both certificates.

use futures::{AsyncRead, AsyncWrite};
use libp2p_core::upgrade::{InboundConnectionUpgrade as _, OutboundConnectionUpgrade as _};
use libp2p_identity::{Keypair, PeerId};
use libp2p_noise as noise;

use super::certhash::Fingerprint;
use crate::Error;

/// Id of the negotiated channel the handshake runs on.
pub const CHANNEL_ID: u16 = 0;

/// The certificates of both ends.
#[derive(Debug, Clone, Copy)]
pub struct Fingerprints {
    /// Who dialed: Noise responder.
    pub client: Fingerprint,
    /// Who listens: Noise initiator.
    pub server: Fingerprint,
}

impl Fingerprints {
    /// `libp2p-webrtc-noise:`, then the client's and the server's multihash.
    pub fn prologue(&self) -> Vec<u8> {
        let mut prologue = b"libp2p-webrtc-noise:".to_vec();
        prologue.extend(self.client.to_multihash().to_bytes());
        prologue.extend(self.server.to_multihash().to_bytes());
        prologue
    }
}

/// The client's side. Returns who the server is, and the channel: keep it until the remote closes
/// it or the connection ends (see [`server`]).
///
/// `expected` is who was dialed, if that is known.
pub async fn client<S>(
    identity: &Keypair,
    channel: S,
    fingerprints: Fingerprints,
    expected: Option<PeerId>,
) -> Result<(PeerId, noise::Output<S>), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let config = noise::Config::new(identity)?.with_prologue(fingerprints.prologue());
    let (found, channel) = config.upgrade_inbound(channel, "").await?;
    check(expected, found)?;
    Ok((found, channel))
}

/// The server's side. Returns who the client is, and the channel.
///
/// The channel should stay open until the connection ends: go-libp2p and pion keep theirs, so if
/// a browser closed its own, it would give id 0 to one of its next streams, which such a remote
/// would then never see as a new one.
pub async fn server<S>(
    identity: &Keypair,
    channel: S,
    fingerprints: Fingerprints,
) -> Result<(PeerId, noise::Output<S>), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let config = noise::Config::new(identity)?.with_prologue(fingerprints.prologue());
    Ok(config.upgrade_outbound(channel, "").await?)
}

fn check(expected: Option<PeerId>, found: PeerId) -> Result<(), Error> {
    match expected {
        Some(expected) if expected != found => Err(Error::WrongPeer {
            expected: expected.into(),
            found: found.into(),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
