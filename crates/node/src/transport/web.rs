//! In a browser: webrtc-direct, WebTransport, WebSocket. Each brings its own security or gets
//! Noise and yamux on top; none can listen.

use std::{future::Future, sync::Arc};

use libp2p::{
    Transport,
    core::{muxing::StreamMuxerBox, transport::timeout::TransportTimeout, upgrade::Version},
    swarm,
};

use super::{BoxedTransport, noise_config, yamux};
use crate::{Config, Error, TransportKind, address_policy::Gate, limits::UPGRADE_TIMEOUT};

/// What can be dialed.
pub(crate) const SUPPORTED: &[TransportKind] = &[
    TransportKind::WebrtcDirect,
    TransportKind::Webrtc,
    TransportKind::Webtransport,
    TransportKind::Websocket,
    TransportKind::Relay,
];

pub(super) fn build(config: &Config, _gate: &Arc<Gate>) -> Result<BoxedTransport, Error> {
    let webrtc =
        mooring_webrtc::Transport::new(mooring_webrtc::Config::new(&config.keypair)).boxed();
    // It has no time limit of its own: a server that accepts and then says nothing would keep the dial forever.
    let webtransport = TransportTimeout::new(
        libp2p_webtransport_websys::Transport::new(libp2p_webtransport_websys::Config::new(
            &config.keypair,
        ))
        .boxed(),
        UPGRADE_TIMEOUT,
    );
    let websocket = mooring_websocket::Transport::new()
        .upgrade(Version::V1Lazy)
        .authenticate(noise_config(&config.keypair)?)
        .multiplex(yamux::Upgrade)
        .timeout(UPGRADE_TIMEOUT)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    Ok(webrtc
        .or_transport(webtransport)
        .map(|either, _| either.into_inner())
        .or_transport(websocket)
        .map(|either, _| either.into_inner())
        .boxed())
}

pub(crate) fn swarm_config() -> swarm::Config {
    swarm::Config::with_wasm_executor()
}

/// Runs a task beside the event loop.
pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    wasm_bindgen_futures::spawn_local(task);
}
