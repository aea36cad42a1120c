//! The platform's transports, composed by hand, and what else differs between the platforms.
//!
//! By hand because `SwarmBuilder` puts the relay transport where it swallows addresses that are
//! not its own, and because every dial goes through the [`Gate`](crate::address_policy::Gate).

mod circuits;
#[cfg(not(target_arch = "wasm32"))]
#[path = "native.rs"]
mod imp;
#[cfg(target_arch = "wasm32")]
#[path = "web.rs"]
mod imp;
mod metered;
mod yamux;

use std::sync::Arc;

use circuits::Circuits;
pub(crate) use circuits::{RelayNeeded, RelaysNeeded};
pub(crate) use imp::{SUPPORTED, spawn, swarm_config};
use libp2p::{
    PeerId, Transport,
    core::{muxing::StreamMuxerBox, transport::Boxed, upgrade::Version},
    identity::Keypair,
    noise, relay,
};
use mooring_webrtc::{core::signalling::Policy, signalled};

use crate::{
    Config, Error,
    address_policy::{Gate, GatedTransport},
    limits::UPGRADE_TIMEOUT,
    relay_server::Unanswered,
};

/// What a transport gives the swarm.
pub(crate) type BoxedTransport = Boxed<(PeerId, StreamMuxerBox)>;

/// The behaviours that are halves of transports.
pub(crate) struct Clients {
    pub(crate) relay: relay::client::Behaviour,
    pub(crate) webrtc: signalled::Behaviour,
    /// Requests for circuits on this node's connections.
    pub(crate) unanswered: Arc<Unanswered>,
}

/// Everything this platform can dial and listen with, behind the gate, the behaviours that belong to it, and the relays that
/// circuits wait for.
pub(crate) fn build(
    config: &Config,
    gate: &Arc<Gate>,
) -> Result<(BoxedTransport, Clients, RelaysNeeded), Error> {
    let (circuits, relay_client) = relay::client::new(config.keypair.public().to_peer_id());
    let (circuits, relays_needed) = Circuits::new(circuits);
    let circuits = circuits
        .upgrade(Version::V1)
        .authenticate(noise_config(&config.keypair)?)
        .multiplex(yamux::Upgrade)
        .timeout(UPGRADE_TIMEOUT)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed();
    let mut webrtc = signalled::Config::new(
        config.keypair.public().to_peer_id(),
        Arc::clone(gate) as Arc<dyn Policy>,
    )
    .with_ice_servers(config.ice_servers.clone());
    if let Some(addresses) = &config.webrtc_addresses {
        webrtc = webrtc.with_addresses(addresses.clone());
    }
    let (webrtc, webrtc_behaviour) = signalled::new(webrtc);
    let unanswered = Arc::default();
    // `/webrtc` before circuits, which would take its addresses for theirs; circuits before the others, which look
    // only at how an address begins.
    let transport = webrtc
        .boxed()
        .or_transport(circuits)
        .map(|either, _| either.into_inner())
        .boxed()
        .or_transport(direct(config, gate, &unanswered)?)
        .map(|either, _| either.into_inner())
        .boxed();
    Ok((
        GatedTransport::new(transport, Arc::clone(gate)).boxed(),
        Clients {
            relay: relay_client,
            webrtc: webrtc_behaviour,
            unanswered,
        },
        relays_needed,
    ))
}

/// Everything but circuits and what is signalled over them. On a relay, with what goes through it watched.
fn direct(
    config: &Config,
    gate: &Arc<Gate>,
    unanswered: &Arc<Unanswered>,
) -> Result<BoxedTransport, Error> {
    let transport = imp::build(config, gate)?;
    if !config.relays() {
        return Ok(transport);
    }
    let watcher = metered::Watcher {
        meter: config.meter.clone(),
        unanswered: Arc::clone(unanswered),
    };
    Ok(transport
        .map(move |(peer, muxer), _| {
            let muxer = metered::Muxer::new(muxer, peer, watcher.clone());
            (peer, StreamMuxerBox::new(muxer))
        })
        .boxed())
}

fn noise_config(keypair: &Keypair) -> Result<noise::Config, Error> {
    noise::Config::new(keypair).map_err(|error| Error::Config(error.to_string()))
}
