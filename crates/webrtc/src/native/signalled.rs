//! The native side of `/webrtc`: ICE, DTLS and SCTP that signalling drives.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::runtime::Handle;

use super::certificate::Certificate;
use super::connection::Connection;
use super::driver::{self, Shared};
use super::ice::IcePath;
use super::limits;
use super::{session, transport};
use crate::Error;
use crate::core::certhash::Fingerprint;
use crate::core::signalling::description::Setup;
use crate::core::signalling::{Candidate, Description, Role, SignallingError};
use crate::signalled::{self, AgentEvent, Allowed, Settings, goodbye};

/// A future that a swarm can take.
pub(crate) type Upgrade<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

pub(crate) fn upgrade<T>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Upgrade<T> {
    Box::pin(work)
}

/// Whether this can work here: it needs a tokio runtime.
pub(crate) fn check() -> Result<(), Error> {
    Handle::try_current()
        .map(drop)
        .map_err(|_| Error::Unavailable)
}

/// The name of the only section; browsers use the same.
const MID: &str = "0";
const SCTP_PORT: u16 = 5000;

/// One side of one attempt.
pub(crate) struct Agent {
    role: Role,
    addresses: Option<Arc<[IpAddr]>>,
    allowed: Allowed,
    stage: Stage,
    offer: Option<Setup>,
    mid: String,
    /// The peer's certificate, and who opens the DTLS session.
    remote: Option<(Fingerprint, session::Role)>,
}

enum Stage {
    /// Nothing is known of the peer; the certificate is made with the path.
    New,
    Checking(Box<IcePath>, Certificate),
    /// A path was found; DTLS and SCTP run on it.
    Connecting(Arc<Shared>, Connection),
    Gone,
}

impl Agent {
    pub(crate) fn new(role: Role, settings: &Settings, allowed: Allowed) -> Self {
        Self {
            role,
            addresses: settings.addresses.clone(),
            allowed,
            stage: Stage::New,
            offer: None,
            mid: MID.to_owned(),
            remote: None,
        }
    }

    fn path(&mut self) -> Result<(&mut IcePath, &Certificate), Error> {
        if let Stage::New = self.stage {
            let runtime = Handle::try_current().map_err(|_| Error::Unavailable)?;
            // One of its own for each connection: nobody can tell by it that two are of the same node.
            let certificate = Certificate::generate().map_err(|error| Error::Platform {
                operation: "making a certificate",
                message: error.to_string(),
            })?;
            let path = IcePath::new(
                self.role,
                self.addresses.as_deref(),
                self.allowed.clone(),
                runtime,
            )?;
            self.stage = Stage::Checking(Box::new(path), certificate);
        }
        match &mut self.stage {
            Stage::Checking(path, certificate) => Ok((path, certificate)),
            _ => Err(SignallingError::OutOfTurn.into()),
        }
    }

    /// Starts the session on the path that ICE found.
    fn connect(&mut self) -> Result<(), Error> {
        let (Stage::Checking(path, certificate), Some((fingerprint, role))) =
            (std::mem::replace(&mut self.stage, Stage::Gone), self.remote)
        else {
            return Err(SignallingError::OutOfTurn.into());
        };
        let runtime = Handle::try_current().map_err(|_| Error::Unavailable)?;
        let session = session::Session::signalled(role, &certificate, fingerprint, Instant::now())
            .map_err(|_| SignallingError::NoPath)?;
        let shared = driver::spawn_on(&runtime, session, path, &transport::process_budget());
        let connection = Connection::new(shared.clone());
        self.stage = Stage::Connecting(shared, connection);
        Ok(())
    }

    /// The connection, once it is up. It takes leave of the signalling stream by itself.
    pub(crate) async fn finish(self, stream: libp2p_swarm::Stream) -> Result<Connection, Error> {
        match self.stage {
            Stage::Connecting(_, mut connection) => {
                if let Ok(runtime) = Handle::try_current() {
                    runtime.spawn(goodbye(stream));
                }
                connection.keep(());
                Ok(connection)
            }
            _ => Err(SignallingError::OutOfTurn.into()),
        }
    }
}

impl signalled::Agent for Agent {
    async fn describe(&mut self) -> Result<String, Error> {
        let setup = match (self.role, self.offer) {
            (Role::Dialer, _) => Setup::Either,
            (Role::Listener, Some(Setup::Active)) => Setup::Passive,
            // RFC 8842, section 5.3: better than passive, as the session begins a round trip earlier.
            (Role::Listener, _) => Setup::Active,
        };
        let mid = self.mid.clone();
        let (path, certificate) = self.path()?;
        let credentials = path.credentials();
        let description = Description {
            mid,
            ufrag: credentials.ufrag.clone(),
            password: credentials.pass.clone(),
            fingerprint: certificate.fingerprint(),
            setup,
            sctp_port: SCTP_PORT,
            max_message_size: u64::from(limits::MAX_RECEIVED_MESSAGE),
            candidates: Vec::new(),
        };
        Ok(description.to_sdp())
    }

    async fn set_remote(&mut self, description: &Description) -> Result<(), Error> {
        let role = match (self.role, description.setup) {
            (Role::Dialer, Setup::Active) => session::Role::Server,
            (Role::Dialer, _) => session::Role::Client,
            (Role::Listener, Setup::Active) => session::Role::Server,
            (Role::Listener, _) => session::Role::Client,
        };
        self.offer = Some(description.setup);
        self.mid.clone_from(&description.mid);
        self.remote = Some((description.fingerprint, role));
        let (path, _) = self.path()?;
        path.set_remote_credentials(&description.ufrag, &description.password);
        Ok(())
    }

    async fn add_candidate(&mut self, candidate: &Candidate) -> Result<(), Error> {
        // One that comes when a path was found is not needed.
        if let Stage::Checking(path, _) = &mut self.stage {
            path.add_remote(candidate);
        }
        Ok(())
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<AgentEvent, Error>> {
        if let Stage::Checking(path, _) = &mut self.stage {
            path.poll(cx);
            if let Some(attribute) = path.take_found() {
                return Poll::Ready(Ok(AgentEvent::Candidate(attribute)));
            }
            if self.remote.is_none() || !path.is_nominated() {
                return Poll::Pending;
            }
            if let Err(error) = self.connect() {
                return Poll::Ready(Err(error));
            }
        }
        let Stage::Connecting(shared, _) = &self.stage else {
            return Poll::Pending;
        };
        let mut state = shared.lock();
        match driver::outcome(&state) {
            Some(Ok(())) => Poll::Ready(Ok(AgentEvent::Connected)),
            Some(Err(loss)) => Poll::Ready(Err(Error::ConnectionLost(loss))),
            None => {
                state.muxer = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
