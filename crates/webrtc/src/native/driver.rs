//! The task that moves a connection's datagrams and time.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};

use super::ice::IcePath;
use super::path::DialerPath;
use super::session::Session;
use super::state::{Effects, Key, Phase, State};
use super::{limits, socket};
use crate::Loss;
use crate::core::budget::Budget;

/// What a connection's handles and its task share.
pub(crate) struct Shared {
    state: Mutex<State>,
    wake: Notify,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere must not take the reader of the state with it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the task look at what changed.
    pub(crate) fn notify(&self) {
        self.wake.notify_one();
    }

    /// Calls `change` on a stream's entry and lets the task carry out what follows.
    pub(crate) fn touch(&self, key: Key) {
        self.lock().touch(key);
        self.notify();
    }
}

/// What reaches a connection from outside.
#[derive(Debug)]
pub(crate) enum Input {
    /// A DTLS datagram.
    Dtls(Bytes),
    /// A verified ICE check. `nominated`: the peer has chosen the path to `from`.
    Check { from: SocketAddr, nominated: bool },
}

/// Where a connection's input comes from.
pub(crate) enum Feed {
    /// A listener's socket, which many connections share.
    Listener(mpsc::Receiver<Input>),
    /// A dialer's own socket.
    Dialer(Box<DialerPath>),
    /// The sockets of a connection that was signalled.
    Ice(Box<IcePath>),
}

/// Starts the task of a connection.
pub(crate) fn spawn<G: Send + 'static>(
    runtime: &Handle,
    session: Session,
    socket: Arc<UdpSocket>,
    remote: SocketAddr,
    feed: Feed,
    budget: &Budget,
    guard: G,
) -> Arc<Shared> {
    let shared = Arc::new(Shared {
        state: Mutex::new(State::new(session, budget, Instant::now())),
        wake: Notify::new(),
    });
    let ender = Ender(shared.clone());
    let driver = Driver {
        shared: shared.clone(),
        way: Some((socket, remote)),
        feed,
    };
    runtime.spawn(async move {
        // Both dropped when the task ends, however it ends.
        let _guard = guard;
        let _ender = ender;
        driver.run().await;
    });
    shared
}

/// The same where ICE chooses the path.
pub(crate) fn spawn_on(
    runtime: &Handle,
    session: Session,
    path: Box<IcePath>,
    budget: &Budget,
) -> Arc<Shared> {
    let shared = Arc::new(Shared {
        state: Mutex::new(State::new(session, budget, Instant::now())),
        wake: Notify::new(),
    });
    let ender = Ender(shared.clone());
    let driver = Driver {
        shared: shared.clone(),
        way: None,
        feed: Feed::Ice(path),
    };
    runtime.spawn(async move {
        let _ender = ender;
        driver.run().await;
    });
    shared
}

/// Ends the connection if its task does so early, so that nobody waits for it forever.
struct Ender(Arc<Shared>);

impl Drop for Ender {
    fn drop(&mut self) {
        let mut effects = Effects::default();
        self.0
            .lock()
            .lose(Loss::Failed, Instant::now(), &mut effects);
        effects.wakers.into_iter().for_each(std::task::Waker::wake);
    }
}

struct Driver {
    shared: Arc<Shared>,
    /// The socket, and where datagrams go. An ICE path may choose another at any time.
    way: Option<(Arc<UdpSocket>, SocketAddr)>,
    feed: Feed,
}

impl Driver {
    async fn run(mut self) {
        let mut effects = Effects::default();
        let mut inputs = Vec::with_capacity(limits::DATAGRAM_BATCH);
        let sleep = tokio::time::sleep_until(Instant::now().into());
        tokio::pin!(sleep);
        loop {
            if let Feed::Ice(path) = &self.feed {
                self.way = path.way();
            }
            let deadline = self.step(&mut inputs, &mut effects);
            for waker in effects.wakers.drain(..) {
                waker.wake();
            }
            for datagram in effects.datagrams.drain(..) {
                if let Some((socket, remote)) = &self.way {
                    socket::send(socket, &datagram, *remote).await;
                }
            }
            let Some(deadline) = deadline else { return };
            sleep.as_mut().reset(deadline.into());
            tokio::select! {
                () = self.shared.wake.notified() => {}
                () = self.feed.receive(self.way.as_ref(), &mut inputs) => {}
                () = sleep.as_mut() => {}
            }
        }
    }

    fn step(&mut self, inputs: &mut Vec<Input>, effects: &mut Effects) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.shared.lock();
        for input in inputs.drain(..) {
            match input {
                Input::Dtls(datagram) => state.handle_datagram(&datagram, now),
                Input::Check { from, nominated } => {
                    if let Some((_, remote)) = &mut self.way
                        && nominated
                        && from != *remote
                    {
                        tracing::debug!(old = %remote, new = %from, "the peer moved to another path");
                        *remote = from;
                    }
                }
            }
            state.seen(now);
        }
        let deadline = state.advance(now, effects);
        drop(state);
        match &mut self.feed {
            // The ICE path has its own timer.
            Feed::Listener(_) | Feed::Ice(_) => deadline,
            Feed::Dialer(path) => {
                effects.datagrams.extend(path.handle_timeout(now));
                deadline.map(|deadline| deadline.min(path.poll_timeout()))
            }
        }
    }
}

impl Feed {
    /// Waits for input and takes a batch of it.
    async fn receive(
        &mut self,
        way: Option<&(Arc<UdpSocket>, SocketAddr)>,
        inputs: &mut Vec<Input>,
    ) {
        match self {
            Self::Ice(path) => path.receive(inputs).await,
            Self::Listener(queue) => {
                if queue.recv_many(inputs, limits::DATAGRAM_BATCH).await == 0 {
                    // The listener is gone. The connection ends by the peer's silence, unless somebody closes it.
                    std::future::pending::<()>().await;
                }
            }
            Self::Dialer(path) => match way {
                Some((socket, _)) => path.receive(socket, inputs).await,
                None => std::future::pending().await,
            },
        }
    }
}

/// Waits until `look` finds something, waking for every change that the muxer's waker reports.
pub(crate) async fn wait_for<T>(shared: &Shared, mut look: impl FnMut(&State) -> Option<T>) -> T {
    std::future::poll_fn(|cx| {
        let mut state = shared.lock();
        match look(&state) {
            Some(found) => std::task::Poll::Ready(found),
            None => {
                state.muxer = Some(cx.waker().clone());
                std::task::Poll::Pending
            }
        }
    })
    .await
}

/// What a connection still being set up has become.
pub(crate) fn outcome(state: &State) -> Option<Result<(), Loss>> {
    match state.phase() {
        Phase::Connecting => None,
        Phase::Connected => Some(Ok(())),
        Phase::Closing(_) => Some(Err(Loss::ClosedHere)),
        Phase::Ended(loss) => Some(Err(*loss)),
    }
}
