//! A peer connection with its channels and its callbacks.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::{BTreeSet, HashMap, VecDeque},
    future::poll_fn,
    rc::{Rc, Weak},
    task::{Context, Poll, Waker},
};

use js_sys::Function;
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use wasm_bindgen_futures::spawn_local;
use web_sys::{
    MessageEvent, RtcConfiguration, RtcDataChannel, RtcDataChannelEvent, RtcDataChannelInit,
    RtcPeerConnection, RtcPeerConnectionState,
};
use web_time::Instant;

use super::{
    channel::{Channel, Key, Opener},
    count::Counted,
    ids::Ids,
    js,
};
use crate::{
    Error, Loss,
    core::{noise, signalling::INIT_CHANNEL, stream},
    limits::{DISCONNECTED_TIMEOUT, MAX_PEER_CONNECTIONS, MAX_PENDING_INBOUND, MAX_STREAMS, TURN},
};

/// A peer connection. Dropping it closes it and fails its streams.
pub(super) struct Peer {
    connection: Counted,
    callbacks: OnceCell<Callbacks>,
    channels: RefCell<HashMap<Key, Rc<Channel>>>,
    next_key: Cell<Key>,
    ids: Ids,
    /// Channels with something to send at the end of the turn.
    waiting: RefCell<Vec<Key>>,
    /// The peer's `init` channel has come.
    init_seen: Cell<bool>,
    /// Opened by the remote and not accepted yet.
    inbound: RefCell<VecDeque<Rc<Channel>>>,
    /// Time limits of the streams.
    deadlines: RefCell<BTreeSet<(Instant, Key)>>,
    disconnected: Cell<Option<Instant>>,
    lost: Cell<Option<Loss>>,
    /// The task that dials, and later drives, the connection.
    driver: Cell<Option<Waker>>,
    shared: stream::Shared,
}

impl Peer {
    /// A new peer connection that takes inbound channels from its first moment.
    pub(super) fn new() -> Result<Rc<Self>, Error> {
        Self::with_configuration(&RtcConfiguration::new(), MAX_PEER_CONNECTIONS)
    }

    /// The same with a configuration, while fewer than `limit` exist.
    pub(super) fn with_configuration(
        configuration: &RtcConfiguration,
        limit: usize,
    ) -> Result<Rc<Self>, Error> {
        let peer = Rc::new(Self {
            connection: Counted::new(configuration, limit)?,
            callbacks: OnceCell::new(),
            channels: RefCell::default(),
            next_key: Cell::new(0),
            ids: Ids::default(),
            waiting: RefCell::default(),
            init_seen: Cell::new(false),
            inbound: RefCell::default(),
            deadlines: RefCell::default(),
            disconnected: Cell::new(None),
            lost: Cell::new(None),
            driver: Cell::new(None),
            shared: stream::Shared::default(),
        });
        let callbacks = peer
            .callbacks
            .get_or_init(|| Callbacks::new(Rc::downgrade(&peer)));
        let js = peer.js();
        js.set_ondatachannel(Some(callbacks.channel.as_ref().unchecked_ref()));
        js.set_onconnectionstatechange(Some(callbacks.state.as_ref().unchecked_ref()));
        Ok(peer)
    }

    pub(super) fn js(&self) -> &RtcPeerConnection {
        self.connection.get()
    }

    pub(super) fn set_driver(&self, waker: &Waker) {
        self.driver.set(Some(waker.clone()));
    }

    pub(super) fn wake_driver(&self) {
        if let Some(waker) = self.driver.take() {
            waker.wake();
        }
    }

    /// Why the connection ended, if it has.
    pub(super) fn lost(&self) -> Option<Loss> {
        self.lost.get()
    }

    // --- Channels -------------------------------------------------------------------------------

    /// The negotiated channel for the Noise handshake.
    pub(super) fn handshake_channel(self: &Rc<Self>) -> Result<Rc<Channel>, Error> {
        let init = RtcDataChannelInit::new();
        init.set_negotiated(true);
        init.set_id(noise::CHANNEL_ID);
        let channel = js::create_data_channel(self.js(), Some(&init))?;
        Ok(self.adopt(channel, Opener::Remote))
    }

    /// A new channel of ours; pending while there are too many.
    pub(super) fn poll_open(self: &Rc<Self>) -> Poll<Result<Rc<Channel>, Error>> {
        if let Some(loss) = self.lost() {
            return Poll::Ready(Err(Error::ConnectionLost(loss)));
        }
        if self.channels.borrow().len() >= MAX_STREAMS {
            return Poll::Pending;
        }
        if !self.ids.may_open(Instant::now()) {
            return Poll::Pending;
        }
        match js::create_data_channel(self.js(), None) {
            Ok(channel) => Poll::Ready(Ok(self.adopt(channel, Opener::Us))),
            Err(error) if self.channels.borrow().len() <= 1 => Poll::Ready(Err(error)),
            Err(error) => {
                // Out of ids: some come back when channels close, which wakes the driver.
                tracing::debug!(%error, "no channel to be had");
                self.ids.release();
                Poll::Pending
            }
        }
    }

    /// Keeps the id of a channel that has closed from being used again.
    pub(super) fn park(&self, id: u16) {
        self.ids.park(id, self.js());
    }

    /// The next channel that the remote opened.
    pub(super) fn poll_inbound(&self) -> Poll<Result<Rc<Channel>, Error>> {
        // What arrived before the end can still be accepted, and read.
        if let Some(channel) = self.inbound.borrow_mut().pop_front() {
            return Poll::Ready(Ok(channel));
        }
        match self.lost() {
            Some(loss) => Poll::Ready(Err(Error::ConnectionLost(loss))),
            None => Poll::Pending,
        }
    }

    fn adopt(self: &Rc<Self>, js: RtcDataChannel, opener: Opener) -> Rc<Channel> {
        let key = self.next_key.get();
        self.next_key.set(key.wrapping_add(1));
        let channel = Channel::new(key, js, opener, self, &self.shared);
        if let Some(callbacks) = self.callbacks.get() {
            let js = channel.js();
            js.set_onopen(Some(&bind(callbacks.open.as_ref(), key)));
            js.set_onmessage(Some(&bind(callbacks.message.as_ref(), key)));
            js.set_onclose(Some(&bind(callbacks.close.as_ref(), key)));
            js.set_onbufferedamountlow(Some(&bind(callbacks.low.as_ref(), key)));
        }
        self.channels.borrow_mut().insert(key, channel.clone());
        if channel.is_open() {
            channel.on_open();
        } else {
            // Its time limit for opening.
            channel.run(|_| ());
        }
        channel
    }

    fn channel(&self, key: Key) -> Option<Rc<Channel>> {
        self.channels.borrow().get(&key).cloned()
    }

    /// Whether a channel whose stream has ended in order may be left open for a while; see [`Ids`].
    pub(super) fn may_rest(&self, opener: Opener) -> bool {
        opener == Opener::Us && self.lost().is_none()
    }

    /// A stream has ended: its channel sends no more events, and its place is free.
    pub(super) fn forget(&self, key: Key, rests: bool) {
        let channel = self.channels.borrow_mut().remove(&key);
        if let Some(channel) = channel {
            channel.detach();
            if let (Opener::Us, None, Some(callbacks)) =
                (channel.opener(), self.lost(), self.callbacks.get())
            {
                let closed = bind(callbacks.freed.as_ref(), key);
                self.ids
                    .watch(key, channel.js(), rests, Instant::now(), &closed);
            }
            self.wake_driver();
        }
    }

    // --- Turns ----------------------------------------------------------------------------------

    /// [`Channel::end_turn`] is to be called when all tasks that are about to run have run. That is before the browser
    /// does anything else, however busy or hidden the page is.
    pub(super) fn at_end_of_turn(self: &Rc<Self>, key: Key) {
        let mut waiting = self.waiting.borrow_mut();
        waiting.push(key);
        if waiting.len() == 1 {
            let peer = Rc::downgrade(self);
            spawn_local(async move {
                for _ in 0..TURN {
                    yield_now().await;
                }
                if let Some(peer) = peer.upgrade() {
                    peer.end_turn();
                }
            });
        }
    }

    fn end_turn(&self) {
        for key in self.waiting.take() {
            if let Some(channel) = self.channel(key) {
                channel.end_turn();
            }
        }
    }

    /// A stream's time limit changed.
    pub(super) fn reschedule(&self, key: Key, before: Option<Instant>, after: Option<Instant>) {
        let mut deadlines = self.deadlines.borrow_mut();
        let first = deadlines.first().copied();
        if let Some(before) = before {
            deadlines.remove(&(before, key));
        }
        if let Some(after) = after {
            deadlines.insert((after, key));
        }
        let earlier = deadlines.first().copied() < first || first.is_none();
        drop(deadlines);
        if earlier {
            self.wake_driver();
        }
    }

    // --- Time -----------------------------------------------------------------------------------

    /// Acts on what is due, and says when to come again.
    pub(super) fn on_timer(&self, now: Instant) -> Option<Instant> {
        loop {
            let due = {
                let mut deadlines = self.deadlines.borrow_mut();
                match deadlines.first() {
                    Some(&(at, _)) if at <= now => deadlines.pop_first(),
                    _ => None,
                }
            };
            let Some((_, key)) = due else { break };
            if let Some(channel) = self.channel(key) {
                channel.on_timer(now);
            }
        }
        let silent = self
            .disconnected
            .get()
            .and_then(|since| since.checked_add(DISCONNECTED_TIMEOUT));
        if silent.is_some_and(|at| at <= now) {
            self.lose(Loss::Silent);
        }
        if self.lost().is_some() {
            return None;
        }
        let first = self.deadlines.borrow().first().map(|&(at, _)| at);
        // A channel that waits to be opened is not this task's to open: only wake it then.
        let opening = self.ids.deadline().filter(|&at| now < at);
        let resting = self.ids.on_timer(now);
        [first, silent, opening, resting]
            .into_iter()
            .flatten()
            .min()
    }

    // --- The end --------------------------------------------------------------------------------

    /// The connection is over: every stream fails.
    pub(super) fn lose(&self, loss: Loss) {
        if self.lost.get().is_some() {
            return;
        }
        // Nobody else comes to send it.
        self.end_turn();
        self.lost.set(Some(loss));
        tracing::debug!(%loss, "connection ended");
        self.js().set_ondatachannel(None);
        self.js().set_onconnectionstatechange(None);
        js::on_association_change(self.js(), None);
        self.ids.detach();
        let channels = self.channels.take();
        for channel in channels.values() {
            channel.detach();
            channel.on_closed(stream::Failure::ConnectionLost);
        }
        self.js().close();
        self.wake_driver();
    }

    /// From now on the end of the SCTP association is noticed. It exists only once both descriptions are set.
    pub(super) fn watch_association(&self) {
        if let Some(callbacks) = self.callbacks.get() {
            let callback = callbacks.association.as_ref().unchecked_ref();
            js::on_association_change(self.js(), Some(callback));
        }
        self.check_association();
    }

    fn check_association(&self) {
        if js::association_ended(self.js()) {
            self.lose(Loss::ClosedByRemote);
        }
    }

    fn on_state(&self) {
        match self.js().connection_state() {
            RtcPeerConnectionState::Failed => self.lose(Loss::Failed),
            RtcPeerConnectionState::Closed => self.lose(Loss::ClosedByRemote),
            RtcPeerConnectionState::Disconnected => {
                if self.disconnected.get().is_none() {
                    self.disconnected.set(Some(Instant::now()));
                }
                self.wake_driver();
            }
            _ => {
                self.disconnected.set(None);
                self.wake_driver();
            }
        }
    }

    fn on_channel(self: &Rc<Self>, js: RtcDataChannel) {
        if js.label() == INIT_CHANNEL {
            // Its opener closes it, and waits for it to be open first (js-libp2p): so leave it alone. There is only one.
            if self.init_seen.replace(true) {
                js.close();
            }
            return;
        }
        let full = self.inbound.borrow().len() >= MAX_PENDING_INBOUND
            || self.channels.borrow().len() >= MAX_STREAMS;
        if full || self.lost().is_some() {
            tracing::debug!("inbound channel refused, too many wait");
            js.close();
            return;
        }
        let channel = self.adopt(js, Opener::Remote);
        self.inbound.borrow_mut().push_back(channel);
        self.wake_driver();
    }

    fn on_id_freed(&self, key: Key) {
        if js::association_ended(self.js()) {
            self.lose(Loss::ClosedByRemote);
        } else if self.ids.on_closed(key, self.js()) {
            self.wake_driver();
        }
    }

    fn on_channel_closed(&self, key: Key) {
        if js::association_ended(self.js()) {
            self.lose(Loss::ClosedByRemote);
        } else if let Some(channel) = self.channel(key) {
            channel.on_closed(stream::Failure::ChannelClosed);
        }
    }

    /// Waits until `ready` says so, or the connection is lost.
    pub(super) async fn until(&self, ready: impl Fn(&Self) -> bool) -> Result<(), Error> {
        poll_fn(|cx: &mut Context<'_>| {
            self.set_driver(cx.waker());
            match self.lost() {
                Some(loss) => Poll::Ready(Err(Error::ConnectionLost(loss))),
                None if ready(self) => Poll::Ready(Ok(())),
                None => Poll::Pending,
            }
        })
        .await
    }
}

/// Lets all other tasks run that are ready.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Detaches everything, before `callbacks` are freed.
        self.lose(Loss::ClosedHere);
    }
}

/// The callbacks of a connection and of all its channels, which are told apart by the key that each
/// channel's copies are bound to. They live as long as the connection: no callback can be freed
/// while it runs, as nothing that a callback does drops a connection.
///
/// Keys are taken as `f64`. To wasm an integer and a JavaScript value are the same type, `i32`,
/// so an optimised build makes one function of a callback that takes the one and of one that takes the
/// other, and wasm-bindgen (0.2.108) then gives both the same glue: a key became the index of a
/// JavaScript value, and no release build could dial. A float is a type of its own.
struct Callbacks {
    state: Closure<dyn Fn()>,
    association: Closure<dyn Fn()>,
    channel: Closure<dyn Fn(RtcDataChannelEvent)>,
    open: Closure<dyn Fn(f64)>,
    message: Closure<dyn Fn(f64, MessageEvent)>,
    close: Closure<dyn Fn(f64)>,
    low: Closure<dyn Fn(f64)>,
    /// Of a channel whose stream has ended.
    freed: Closure<dyn Fn(f64)>,
}

/// A callback of one channel.
fn bind(callback: &JsValue, key: impl Into<f64>) -> Function {
    let callback: &Function = callback.unchecked_ref();
    callback.bind1(&JsValue::UNDEFINED, &JsValue::from_f64(key.into()))
}

/// A number that went through JavaScript, where it was a whole one from the start.
fn unbind(key: f64) -> Key {
    key as Key
}

impl Callbacks {
    fn new(peer: Weak<Peer>) -> Self {
        let on_channel = |act: fn(&Peer, &Channel)| {
            let peer = peer.clone();
            Closure::<dyn Fn(f64)>::new(move |key| {
                if let Some(peer) = peer.upgrade()
                    && let Some(channel) = peer.channel(unbind(key))
                {
                    act(&peer, &channel);
                }
            })
        };
        let open = on_channel(|peer, channel| {
            channel.on_open();
            peer.wake_driver();
        });
        let low = on_channel(|_, channel| channel.on_buffered_amount_low());
        let state = {
            let peer = peer.clone();
            Closure::<dyn Fn()>::new(move || {
                if let Some(peer) = peer.upgrade() {
                    peer.on_state();
                }
            })
        };
        let association = {
            let peer = peer.clone();
            Closure::<dyn Fn()>::new(move || {
                if let Some(peer) = peer.upgrade() {
                    peer.check_association();
                }
            })
        };
        let channel = {
            let peer = peer.clone();
            Closure::<dyn Fn(RtcDataChannelEvent)>::new(move |event: RtcDataChannelEvent| {
                if let Some(peer) = peer.upgrade() {
                    peer.on_channel(event.channel());
                }
            })
        };
        let close = {
            let peer = peer.clone();
            Closure::<dyn Fn(f64)>::new(move |key| {
                if let Some(peer) = peer.upgrade() {
                    peer.on_channel_closed(unbind(key));
                }
            })
        };
        let freed = {
            let peer = peer.clone();
            Closure::<dyn Fn(f64)>::new(move |key| {
                if let Some(peer) = peer.upgrade() {
                    peer.on_id_freed(unbind(key));
                }
            })
        };
        let message = Closure::<dyn Fn(f64, MessageEvent)>::new(move |key, event: MessageEvent| {
            if let Some(channel) = peer.upgrade().and_then(|peer| peer.channel(unbind(key))) {
                channel.on_message(event.data());
            }
        });
        Self {
            state,
            association,
            channel,
            open,
            message,
            close,
            low,
            freed,
        }
    }
}
