//! From a path to an authenticated connection, on both sides.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt;
use libp2p_identity::{Keypair, PeerId};
use tokio::runtime::Handle;

use super::certificate::Certificate;
use super::connection::Connection;
use super::driver::{self, Feed, Shared};
use super::listener::NewPeer;
use super::path::{Credentials, DialerPath};
use super::session::{End, Role, Session};
use super::state::HANDSHAKE;
use super::stream::Stream;
use super::{limits, socket};
use crate::core::budget::Budget;
use crate::core::certhash::Fingerprint;
use crate::core::noise::{self, Fingerprints};
use crate::core::ufrag::{self, Version};
use crate::{Error, Loss, Stage};

/// Who we are.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) keypair: Keypair,
    pub(crate) certificate: Certificate,
    /// Pays for what is not read, on all connections.
    pub(crate) budget: Budget,
}

/// Whom to dial.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) peer: Option<PeerId>,
    pub(crate) version: Version,
}

/// Does the listener's part with a peer that was admitted.
pub(crate) async fn accept(
    identity: Identity,
    peer: NewPeer,
) -> Result<(PeerId, Connection), Error> {
    let NewPeer {
        socket,
        runtime,
        remote,
        inputs,
        place,
    } = peer;
    let session = Session::new(Role::Server, &identity.certificate, None, Instant::now())
        .map_err(|end| error(end, None))?;
    let place = Arc::new(place);
    let shared = driver::spawn(
        &runtime,
        session,
        socket,
        remote,
        Feed::Listener(inputs),
        &identity.budget,
        place.clone(),
    );
    let mut connection = Connection::new(shared.clone());
    let handshake = async {
        let client = connected(&shared, None).await?;
        let fingerprints = Fingerprints {
            client,
            server: identity.certificate.fingerprint(),
        };
        let channel = Stream::new(shared.clone(), HANDSHAKE);
        noise::server(&identity.keypair, channel, fingerprints).await
    };
    let (peer, channel) = limited(handshake, &shared).await?;
    shared.lock().authenticated();
    place.established();
    connection.keep(channel);
    Ok((peer, connection))
}

/// Dials.
pub(crate) async fn dial(
    identity: Identity,
    target: Target,
    runtime: Handle,
) -> Result<(PeerId, Connection), Error> {
    let socket = {
        let _guard = runtime.enter();
        socket::bind_for(target.address)?
    };
    let mut path = DialerPath::new(credentials(target.version)?, target.address, Instant::now());
    // The path's timers need the runtime, which the caller's executor may not be part of.
    let establishing = runtime.spawn({
        let socket = socket.clone();
        async move {
            let established =
                tokio::time::timeout(limits::HANDSHAKE_TIMEOUT, path.establish(&socket)).await;
            established.map(|()| path)
        }
    });
    let path = AbortOnDrop(establishing)
        .await
        .map_err(|error| Error::Platform {
            operation: "dialing",
            message: error.to_string(),
        })?
        .map_err(|_| Error::Timeout(Stage::Connecting))?;
    let expected = Some(target.fingerprint);
    let session = Session::new(
        Role::Client,
        &identity.certificate,
        expected,
        Instant::now(),
    )
    .map_err(|end| error(end, expected))?;
    let shared = driver::spawn(
        &runtime,
        session,
        socket,
        target.address,
        Feed::Dialer(Box::new(path)),
        &identity.budget,
        (),
    );
    let mut connection = Connection::new(shared.clone());
    let handshake = async {
        let server = connected(&shared, expected).await?;
        let fingerprints = Fingerprints {
            client: identity.certificate.fingerprint(),
            server,
        };
        let channel = Stream::new(shared.clone(), HANDSHAKE);
        noise::client(&identity.keypair, channel, fingerprints, target.peer).await
    };
    let (peer, channel) = limited(handshake, &shared).await?;
    shared.lock().authenticated();
    connection.keep(channel);
    Ok((peer, connection))
}

fn credentials(version: Version) -> Result<Credentials, Error> {
    let own = ufrag::new_v1();
    Ok(match version {
        Version::V1 => Credentials {
            local_ufrag: own.clone(),
            local_password: own.clone(),
            remote_ufrag: own.clone(),
            remote_password: own,
        },
        Version::V2 => {
            // Any ICE characters will do; the prefix would only confuse who reads a trace.
            let password = own
                .strip_prefix(ufrag::PREFIX_V1)
                .unwrap_or(&own)
                .to_owned();
            let remote = ufrag::new_v2(&password)?;
            Credentials {
                local_ufrag: password.get(..8).unwrap_or(&password).to_owned(),
                local_password: password,
                remote_ufrag: remote.clone(),
                remote_password: remote,
            }
        }
    })
}

/// Waits for the session, and returns the certificate the peer really showed.
async fn connected(shared: &Shared, expected: Option<Fingerprint>) -> Result<Fingerprint, Error> {
    let outcome = driver::wait_for(shared, driver::outcome).await;
    let state = shared.lock();
    match (outcome, state.session().remote_certificate()) {
        (Ok(()), Some(fingerprint)) => Ok(fingerprint),
        (Ok(()), None) => Err(Error::ConnectionLost(Loss::Failed)),
        (Err(loss), _) => Err(state
            .end()
            .cloned()
            .map_or(Error::ConnectionLost(loss), |end| error(end, expected))),
    }
}

async fn limited<T>(
    handshake: impl Future<Output = Result<T, Error>>,
    shared: &Shared,
) -> Result<T, Error> {
    futures::select_biased! {
        result = Box::pin(handshake).fuse() => result,
        () = futures_timer::Delay::new(limits::HANDSHAKE_TIMEOUT).fuse() => {
            let connected = matches!(driver::outcome(&shared.lock()), Some(Ok(())));
            Err(Error::Timeout(if connected { Stage::Noise } else { Stage::Connecting }))
        }
    }
}

fn error(end: End, expected: Option<Fingerprint>) -> Error {
    match (end, expected) {
        (End::Closed, _) => Error::ConnectionLost(Loss::ClosedByRemote),
        (End::WrongCertificate { found }, Some(expected)) => {
            Error::WrongCertificate { expected, found }
        }
        (End::WrongCertificate { .. }, None) => Error::ConnectionLost(Loss::Failed),
        (End::Dtls(message), _) => Error::Platform {
            operation: "DTLS",
            message,
        },
        (End::Sctp(message), _) => Error::Platform {
            operation: "SCTP",
            message,
        },
    }
}

/// A cancelled dial leaves no task behind.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, tokio::task::JoinError>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        self.0.poll_unpin(cx)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
