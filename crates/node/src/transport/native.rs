//! Native: TCP, WebSocket and names over it, webrtc-direct.

use std::{future::Future, sync::Arc};

use libp2p::{
    Transport,
    core::{muxing::StreamMuxerBox, upgrade::Version},
    dns, swarm, tcp, websocket,
};

use super::{BoxedTransport, noise_config, yamux};
use crate::{
    Config, Error, TransportKind,
    address_policy::{Gate, GatedTransport},
    limits::UPGRADE_TIMEOUT,
};

/// What can be dialed.
pub(crate) const SUPPORTED: &[TransportKind] = &[
    TransportKind::WebrtcDirect,
    TransportKind::Webrtc,
    TransportKind::Tcp,
    TransportKind::Websocket,
    TransportKind::Relay,
];

type Resolving = dns::tokio::Transport<GatedTransport<tcp::tokio::Transport>>;

fn resolving_tcp(gate: &Arc<Gate>) -> Result<Resolving, Error> {
    // Small messages go out at once: the multiplexer already gathers what belongs together.
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    dns::tokio::Transport::system(GatedTransport::resolved(tcp, Arc::clone(gate)))
        .map_err(|error| Error::Config(format!("the resolver cannot be set up: {error}")))
}

pub(super) fn build(config: &Config, gate: &Arc<Gate>) -> Result<BoxedTransport, Error> {
    let mut webrtc = mooring_webrtc::Config::new(&config.keypair)
        .with_max_connections_per_source(config.limits.webrtc_connections_per_host);
    if let Some(certificate) = &config.webrtc_certificate {
        webrtc = webrtc.with_certificate(certificate.clone());
    }
    let webrtc = mooring_webrtc::Transport::new(webrtc).boxed();
    let websocket = websocket::Config::new(resolving_tcp(gate)?)
        .upgrade(Version::V1Lazy)
        .authenticate(noise_config(&config.keypair)?)
        .multiplex(yamux::Upgrade)
        .timeout(UPGRADE_TIMEOUT)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let tcp = resolving_tcp(gate)?
        .upgrade(Version::V1Lazy)
        .authenticate(noise_config(&config.keypair)?)
        .multiplex(yamux::Upgrade)
        .timeout(UPGRADE_TIMEOUT)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    Ok(webrtc
        .or_transport(websocket)
        .map(|either, _| either.into_inner())
        .or_transport(tcp)
        .map(|either, _| either.into_inner())
        .boxed())
}

pub(crate) fn swarm_config() -> swarm::Config {
    swarm::Config::with_tokio_executor()
}

/// Runs a task beside the event loop.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}
