//! The platform's transports, composed by hand, and what else differs between the platforms.
//!
//! By hand because `SwarmBuilder` puts the relay transport where it swallows addresses that are
//! not its own, and because every dial goes through the [`Gate`](crate::address_policy::Gate).

#[cfg(not(target_arch = "wasm32"))]
#[path = "native.rs"]
mod imp;
#[cfg(target_arch = "wasm32")]
#[path = "web.rs"]
mod imp;
mod yamux;

use std::sync::Arc;

pub(crate) use imp::{SUPPORTED, spawn, swarm_config};
use libp2p::{
    PeerId, Transport,
    core::{muxing::StreamMuxerBox, transport::Boxed, upgrade::Version},
    identity::Keypair,
    noise, relay,
};

use crate::{
    Config, Error,
    address_policy::{Gate, GatedTransport},
    limits::UPGRADE_TIMEOUT,
};

/// What a transport gives the swarm.
pub(crate) type BoxedTransport = Boxed<(PeerId, StreamMuxerBox)>;

/// Everything this platform can dial and listen with, behind the gate, and the relay client's
/// other half.
pub(crate) fn build(
    config: &Config,
    gate: &Arc<Gate>,
) -> Result<(BoxedTransport, relay::client::Behaviour), Error> {
    let (circuits, relay_client) = relay::client::new(config.keypair.public().to_peer_id());
    let circuits = circuits
        .upgrade(Version::V1)
        .authenticate(noise_config(&config.keypair)?)
        .multiplex(yamux::Upgrade)
        .timeout(UPGRADE_TIMEOUT)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed();
    // Circuits first: the other transports look only at how an address begins.
    let transport = circuits
        .or_transport(imp::build(config, gate)?)
        .map(|either, _| either.into_inner())
        .boxed();
    Ok((
        GatedTransport::new(transport, Arc::clone(gate)).boxed(),
        relay_client,
    ))
}

fn noise_config(keypair: &Keypair) -> Result<noise::Config, Error> {
    noise::Config::new(keypair).map_err(|error| Error::Config(error.to_string()))
}
