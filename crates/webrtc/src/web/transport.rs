//! The transport: dials `/webrtc-direct` addresses. A browser cannot listen.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use libp2p_core::{
    Transport as _,
    multiaddr::Multiaddr,
    muxing::StreamMuxerBox,
    transport::{Boxed, DialOpts, ListenerId, TransportError, TransportEvent},
};
use libp2p_identity::{Keypair, PeerId};
use send_wrapper::SendWrapper;

use super::{connection::Connection, dial, versions::Versions};
use crate::{
    Error,
    core::address::{DialAddress, Host},
};

/// What a [`Transport`] needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    identity: Keypair,
}

impl Config {
    /// With the identity to prove to servers.
    pub fn new(identity: &Keypair) -> Self {
        Self {
            identity: identity.clone(),
        }
    }
}

/// The browser's webrtc-direct transport.
#[derive(Debug)]
pub struct Transport {
    config: Config,
    versions: Arc<Mutex<Versions>>,
}

impl Transport {
    /// A transport.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            versions: Arc::default(),
        }
    }

    /// The same with its connections boxed, as a swarm wants them.
    pub fn boxed(self) -> Boxed<(PeerId, StreamMuxerBox)> {
        libp2p_core::Transport::boxed(
            self.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection))),
        )
    }
}

impl libp2p_core::Transport for Transport {
    type Output = (PeerId, Connection);
    type Error = Error;
    type ListenerUpgrade = futures::future::Pending<Result<Self::Output, Self::Error>>;
    type Dial = Pin<Box<dyn Future<Output = Result<Self::Output, Self::Error>> + Send>>;

    fn listen_on(
        &mut self,
        _: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Self::Error>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        // The listener's role, for hole punching, has no meaning without signalling.
        if options.role.is_listener() {
            return Err(TransportError::MultiaddrNotSupported(address));
        }
        let Some(target) = DialAddress::parse(&address).map_err(TransportError::Other)? else {
            return Err(TransportError::MultiaddrNotSupported(address));
        };
        // Browsers take no host names in candidates but mDNS ones; such a dial would only time out.
        if let Host::Dns(_) = target.host {
            return Err(TransportError::Other(Error::Address(
                "browsers dial webrtc-direct by IP address only",
            )));
        }
        let dial = dial::dial(self.config.identity.clone(), target, self.versions.clone());
        Ok(Box::pin(SendWrapper::new(dial)))
    }

    fn poll(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Poll::Pending
    }
}
