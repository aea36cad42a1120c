//! The browser's side of `/webrtc`: an `RTCPeerConnection` that signalling drives.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::Future,
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::{Either, select};
use futures_timer::Delay;
use js_sys::{Array, Object, Reflect};
use send_wrapper::SendWrapper;
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use web_sys::{
    RtcConfiguration, RtcDataChannel, RtcDataChannelState, RtcPeerConnectionState, RtcSdpType,
    RtcSessionDescriptionInit,
};

use super::{connection::Connection, count, js, peer::Peer};
use crate::{
    Error,
    core::signalling::{Candidate, Description, INIT_CHANNEL, Role, SignallingError},
    limits::{
        INIT_CHANNEL_TIMEOUT, MAX_OFFERED_PEER_CONNECTIONS, MAX_PEER_CONNECTIONS,
        MAX_SIGNALLED_CANDIDATES,
    },
    signalled::{self, AgentEvent, Allowed, IceServer, Settings, goodbye},
};

/// A future that a swarm can take: there is but one thread.
pub(crate) type Upgrade<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

pub(crate) fn upgrade<T: 'static>(
    work: impl Future<Output = Result<T, Error>> + 'static,
) -> Upgrade<T> {
    Box::pin(SendWrapper::new(work))
}

/// Whether there is WebRTC here at all.
pub(crate) fn check() -> Result<(), Error> {
    count::available()
}

/// The browser's peer connection, made when it is first needed.
pub(crate) struct Agent {
    role: Role,
    servers: Arc<[IceServer]>,
    session: Option<Session>,
}

struct Session {
    peer: Rc<Peer>,
    /// The dialer's.
    init: Option<RtcDataChannel>,
    candidates: Rc<RefCell<VecDeque<String>>>,
    /// The section that candidates belong to.
    mid: String,
    // Freed after `drop` has detached them.
    on_candidate: Closure<dyn Fn(JsValue)>,
    on_change: Closure<dyn Fn()>,
}

impl Session {
    fn new(role: Role, servers: &[IceServer]) -> Result<Self, Error> {
        let limit = match role {
            Role::Dialer => MAX_PEER_CONNECTIONS,
            Role::Listener => MAX_OFFERED_PEER_CONNECTIONS,
        };
        let peer = Peer::with_configuration(&configuration(servers), limit)?;
        let candidates: Rc<RefCell<VecDeque<String>>> = Rc::default();
        let on_candidate = {
            let (peer, candidates) = (Rc::downgrade(&peer), Rc::clone(&candidates));
            Closure::<dyn Fn(JsValue)>::new(move |event: JsValue| {
                // None at the end of the candidates.
                let attribute = js::get(&event, "candidate")
                    .and_then(|candidate| js::get(&candidate, "candidate"))
                    .and_then(|attribute| attribute.as_string());
                let mut candidates = candidates.borrow_mut();
                if let Some(attribute) = attribute
                    && candidates.len() < MAX_SIGNALLED_CANDIDATES
                {
                    candidates.push_back(attribute);
                }
                drop(candidates);
                if let Some(peer) = peer.upgrade() {
                    peer.wake_driver();
                }
            })
        };
        let on_change = {
            let peer = Rc::downgrade(&peer);
            Closure::<dyn Fn()>::new(move || {
                if let Some(peer) = peer.upgrade() {
                    peer.wake_driver();
                }
            })
        };
        let callback = on_candidate.as_ref().unchecked_ref();
        peer.js().set_onicecandidate(Some(callback));
        let init = match role {
            // Before the offer, so that the offer has a data channel section.
            Role::Dialer => {
                let channel = js::create_labelled_channel(peer.js(), INIT_CHANNEL, None)?;
                let callback = on_change.as_ref().unchecked_ref();
                channel.set_onopen(Some(callback));
                channel.set_onclose(Some(callback));
                Some(channel)
            }
            Role::Listener => None,
        };
        Ok(Self {
            peer,
            init,
            candidates,
            mid: String::new(),
            on_candidate,
            on_change,
        })
    }

    /// Opens and closes the dialer's `init` channel. That it opens shows that the connection carries data.
    async fn prove(&self) -> Result<(), Error> {
        let Some(init) = &self.init else {
            return Ok(());
        };
        let work = async {
            let open = |_: &Peer| init.ready_state() != RtcDataChannelState::Connecting;
            self.peer.until(open).await?;
            let id = init.id();
            init.close();
            // Its id is not to be taken for a stream while the peer may still see this channel.
            let closed = |_: &Peer| init.ready_state() == RtcDataChannelState::Closed;
            self.peer.until(closed).await?;
            if let Some(id) = id {
                self.peer.park(id);
            }
            Ok(())
        };
        match select(pin!(work), Delay::new(INIT_CHANNEL_TIMEOUT)).await {
            Either::Left((result, _)) => result,
            Either::Right(((), _)) => Err(SignallingError::NoPath.into()),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.peer.js().set_onicecandidate(None);
        if let Some(init) = &self.init {
            init.set_onopen(None);
            init.set_onclose(None);
        }
        let _ = (&self.on_candidate, &self.on_change);
    }
}

impl Agent {
    /// A browser does not tell whence it is checked, so that only candidates can be judged.
    pub(crate) fn new(role: Role, settings: &Settings, _: Allowed) -> Self {
        Self {
            role,
            servers: settings.ice_servers.get(),
            session: None,
        }
    }

    fn session(&mut self) -> Result<&mut Session, Error> {
        match &mut self.session {
            Some(session) => Ok(session),
            empty => Ok(empty.insert(Session::new(self.role, &self.servers)?)),
        }
    }

    /// The connection, once it is up. It takes leave of the signalling stream by itself.
    pub(crate) async fn finish(self, stream: libp2p_swarm::Stream) -> Result<Connection, Error> {
        let session = self.session.ok_or(Error::Unavailable)?;
        session.peer.watch_association();
        session.prove().await?;
        let peer = Rc::clone(&session.peer);
        drop(session);
        Ok(Connection::signalled(peer, goodbye(stream)))
    }
}

impl signalled::Agent for Agent {
    async fn describe(&mut self) -> Result<String, Error> {
        let role = self.role;
        let session = self.session()?;
        let connection = session.peer.js();
        let made = match role {
            Role::Dialer => js::promise("createOffer", connection.create_offer()).await?,
            Role::Listener => js::promise("createAnswer", connection.create_answer()).await?,
        };
        let made: RtcSessionDescriptionInit = made.unchecked_into();
        js::promise(
            "setLocalDescription",
            connection.set_local_description(&made),
        )
        .await?;
        let local = connection
            .local_description()
            .ok_or(Error::Sdp("no local description"))?;
        let sdp = local.sdp();
        session.mid = Description::parse(&sdp)?.mid;
        Ok(sdp)
    }

    async fn set_remote(&mut self, description: &Description) -> Result<(), Error> {
        let kind = match self.role {
            Role::Dialer => RtcSdpType::Answer,
            Role::Listener => RtcSdpType::Offer,
        };
        let session = self.session()?;
        session.mid.clone_from(&description.mid);
        let remote = RtcSessionDescriptionInit::new(kind);
        remote.set_sdp(&description.to_sdp());
        js::promise(
            "setRemoteDescription",
            session.peer.js().set_remote_description(&remote),
        )
        .await?;
        Ok(())
    }

    async fn add_candidate(&mut self, candidate: &Candidate) -> Result<(), Error> {
        let session = self.session()?;
        js::add_ice_candidate(session.peer.js(), &candidate.to_attribute(), &session.mid).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<AgentEvent, Error>> {
        // Without a session: the listener waits for the offer.
        let Some(session) = &self.session else {
            return Poll::Pending;
        };
        let peer = &session.peer;
        peer.set_driver(cx.waker());
        if let Some(attribute) = session.candidates.borrow_mut().pop_front() {
            return Poll::Ready(Ok(AgentEvent::Candidate(attribute)));
        }
        if peer.lost().is_some() {
            return Poll::Ready(Err(SignallingError::NoPath.into()));
        }
        if peer.js().connection_state() == RtcPeerConnectionState::Connected {
            return Poll::Ready(Ok(AgentEvent::Connected));
        }
        Poll::Pending
    }
}

fn configuration(servers: &[IceServer]) -> RtcConfiguration {
    let list = Array::new();
    for server in servers {
        let entry = Object::new();
        let set = |name: &str, value: &str| {
            // Cannot fail on an object just made.
            let _ = Reflect::set(&entry, &name.into(), &value.into());
        };
        set("urls", &server.url);
        if let Some((name, password)) = &server.credentials {
            set("username", name);
            set("credential", password);
        }
        list.push(&entry);
    }
    let configuration = RtcConfiguration::new();
    configuration.set_ice_servers(&list);
    configuration
}
