//! Dialing: both versions of webrtc-direct race, the first to connect is authenticated.

use std::{
    future::Future,
    pin::pin,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::{Either, select};
use futures_timer::Delay;
use libp2p_identity::{Keypair, PeerId};
use wasm_bindgen::JsCast as _;
use web_sys::{RtcPeerConnectionState, RtcSdpType, RtcSessionDescriptionInit};

use super::{
    channel::Channel, connection::Connection, js, peer::Peer, stream::Stream, versions::Versions,
};
use crate::{
    Error, Loss, Stage,
    core::{
        address::DialAddress,
        noise::{self, Fingerprints},
        sdp::{self, LocalDescription},
        ufrag::{self, Version},
    },
    limits,
};

/// Dials, authenticates, and remembers which version the server answered.
pub(super) async fn dial(
    identity: Keypair,
    address: DialAddress,
    versions: Arc<Mutex<Versions>>,
) -> Result<(PeerId, Connection), Error> {
    let lock = || versions.lock().unwrap_or_else(PoisonError::into_inner);
    let preferred = lock().preferred(&address.fingerprint);
    let connected = race(&address, preferred).await?;
    let version = connected.version;
    let output = authenticate(&identity, &address, connected).await?;
    lock().answered(address.fingerprint, version);
    Ok(output)
}

/// Connected (ICE and DTLS), but not authenticated.
struct Connected {
    version: Version,
    peer: Rc<Peer>,
    handshake: Rc<Channel>,
    fingerprints: Fingerprints,
}

/// The first version to connect wins; the other attempt is dropped, which closes it.
async fn race(address: &DialAddress, preferred: Version) -> Result<Connected, Error> {
    let other = match preferred {
        Version::V1 => Version::V2,
        Version::V2 => Version::V1,
    };
    let first = pin!(connect(address, preferred));
    let head_start = Delay::new(limits::VERSION_HEAD_START);
    let first = match select(first, head_start).await {
        Either::Left((Ok(connected), _)) => return Ok(connected),
        Either::Left((Err(error), _)) => {
            return connect(address, other)
                .await
                .map_err(|second| both(preferred, error, second));
        }
        Either::Right(((), first)) => first,
    };
    let second = pin!(connect(address, other));
    match select(first, second).await {
        Either::Left((Ok(connected), _)) | Either::Right((Ok(connected), _)) => Ok(connected),
        Either::Left((Err(error), second)) => {
            second.await.map_err(|later| both(preferred, error, later))
        }
        Either::Right((Err(error), first)) => {
            first.await.map_err(|later| both(preferred, later, error))
        }
    }
}

fn both(preferred: Version, first: Error, second: Error) -> Error {
    let (first, second) = (Box::new(first), Box::new(second));
    match preferred {
        Version::V1 => Error::BothVersions {
            v1: first,
            v2: second,
        },
        Version::V2 => Error::BothVersions {
            v2: first,
            v1: second,
        },
    }
}

async fn connect(address: &DialAddress, version: Version) -> Result<Connected, Error> {
    let peer = Peer::new()?;
    // Before the offer, so that the offer has a data channel section.
    let handshake = peer.handshake_channel()?;
    let local = within(
        limits::SDP_TIMEOUT,
        Stage::Descriptions,
        describe(&peer, address, version),
    )
    .await?;
    within(
        limits::CONNECT_TIMEOUT,
        Stage::Connecting,
        peer.until(|peer| peer.js().connection_state() == RtcPeerConnectionState::Connected),
    )
    .await?;
    peer.watch_association();
    tracing::debug!(?version, "connected, not authenticated yet");
    Ok(Connected {
        version,
        peer,
        handshake,
        fingerprints: Fingerprints {
            client: local.fingerprint,
            server: address.fingerprint,
        },
    })
}

/// Sets our offer and the answer the server would give.
async fn describe(
    peer: &Peer,
    address: &DialAddress,
    version: Version,
) -> Result<LocalDescription, Error> {
    let connection = peer.js();
    let offer = js::promise("createOffer", connection.create_offer()).await?;
    let offer: RtcSessionDescriptionInit = offer.unchecked_into();
    let munged = match version {
        Version::V1 => {
            let sdp = offer.get_sdp().ok_or(Error::Sdp("the offer is empty"))?;
            let ufrag = ufrag::new_v1();
            offer.set_sdp(&sdp::munge_offer(&sdp, &ufrag)?);
            Some(ufrag)
        }
        Version::V2 => None,
    };
    js::promise(
        "setLocalDescription",
        connection.set_local_description(&offer),
    )
    .await?;
    let local = connection
        .local_description()
        .ok_or(Error::Sdp("no local description"))?;
    let local = LocalDescription::parse(&local.sdp())?;
    let server_ufrag = match munged {
        Some(ufrag) if local.ufrag == ufrag && local.password == ufrag => ufrag,
        Some(_) => return Err(Error::Sdp("the browser ignored the edited credentials")),
        None => ufrag::new_v2(&local.password)?,
    };
    let answer = RtcSessionDescriptionInit::new(RtcSdpType::Answer);
    answer.set_sdp(&sdp::server_answer(address, &server_ufrag)?);
    js::promise(
        "setRemoteDescription",
        connection.set_remote_description(&answer),
    )
    .await?;
    Ok(local)
}

async fn authenticate(
    identity: &Keypair,
    address: &DialAddress,
    connected: Connected,
) -> Result<(PeerId, Connection), Error> {
    let Connected {
        peer,
        handshake,
        fingerprints,
        ..
    } = connected;
    within(
        limits::HANDSHAKE_CHANNEL_TIMEOUT,
        Stage::HandshakeChannel,
        peer.until(|_| handshake.is_open()),
    )
    .await?;
    let stream = Stream::new(handshake);
    let (found, stream) = within(limits::NOISE_TIMEOUT, Stage::Noise, async {
        let noise = pin!(noise::client(identity, stream, fingerprints, address.peer));
        let lost = pin!(peer.until(|_| false));
        match select(noise, lost).await {
            Either::Left((authenticated, _)) => authenticated,
            Either::Right((Err(error), _)) => Err(error),
            Either::Right((Ok(()), _)) => Err(Error::ConnectionLost(Loss::Failed)),
        }
    })
    .await?;
    Ok((found, Connection::new(peer, stream)))
}

async fn within<T>(
    limit: Duration,
    stage: Stage,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match select(pin!(work), Delay::new(limit)).await {
        Either::Left((result, _)) => result,
        Either::Right(((), _)) => Err(Error::Timeout(stage)),
    }
}
