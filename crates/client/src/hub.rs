//! What the app wants of the node, told to it, and told again when it has forgotten; and where what it then sends goes.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    rc::{Rc, Weak},
    time::Duration,
};

use futures_timer::Delay;
use mooring_api::{
    ErrorCode, Method,
    event::{EventName, NODE_AVAILABLE, PUBSUB_MESSAGE, STREAMS_INCOMING},
    params::{self, Empty},
};
use wasm_bindgen_futures::spawn_local;

use crate::{
    Error, Event,
    core::wanted::{Kind, Wanted},
    events, handlers,
    limits::{RESTORE_MAX, RESTORE_MIN},
    pubsub,
    rpc::Rpc,
    web::value,
};

pub struct Hub {
    rpc: Rc<Rpc>,
    wanted: RefCell<Wanted>,
    /// Given back, and the node has perhaps not heard of it yet.
    leaving: RefCell<BTreeSet<(Kind, String)>>,
    /// Something is wanted that the node would not give again, for want of a permission perhaps.
    refused: Cell<bool>,
    restoring: Cell<bool>,
    again: Cell<bool>,
    pub events: events::Readers,
    pub topics: pubsub::Readers,
    pub protocols: handlers::Readers,
}

impl Hub {
    pub fn new(rpc: Rc<Rpc>) -> Rc<Hub> {
        let hub = Rc::new(Hub {
            rpc,
            wanted: RefCell::default(),
            leaving: RefCell::default(),
            refused: Cell::default(),
            restoring: Cell::default(),
            again: Cell::default(),
            events: events::Readers::default(),
            topics: pubsub::Readers::default(),
            protocols: handlers::Readers::default(),
        });
        let rpc = &hub.rpc;
        // The conversation does not keep the hub, which keeps it.
        let own = Rc::downgrade(&hub);
        rpc.listen(PUBSUB_MESSAGE, move |message, _| {
            if let (Some(hub), Ok(message)) = (Weak::upgrade(&own), value::read(message)) {
                hub.topics.deliver(&message);
            }
        });
        let own = Rc::downgrade(&hub);
        rpc.listen(STREAMS_INCOMING, move |incoming, port| {
            if let (Some(hub), Ok(incoming), Some(port)) =
                (Weak::upgrade(&own), value::read(incoming), port)
            {
                hub.protocols.deliver(incoming, port, |protocol| {
                    hub.is_leaving(Kind::Protocol, protocol)
                });
            }
        });
        for name in EventName::ALL.iter().copied() {
            let own = Rc::downgrade(&hub);
            rpc.listen(name.name(), move |detail, _| {
                if let (Some(hub), Some(event)) = (Weak::upgrade(&own), Event::read(name, detail)) {
                    hub.events.deliver(Some(name), &event);
                }
            });
        }
        let own = Rc::downgrade(&hub);
        rpc.listen(NODE_AVAILABLE, move |hello, _| {
            if let (Some(hub), Ok(hello)) = (Weak::upgrade(&own), value::read(hello)) {
                hub.events.deliver(None, &Event::NodeAvailable(hello));
                hub.restore();
            }
        });
        let own = Rc::downgrade(&hub);
        rpc.on_not_running(move || {
            if let Some(hub) = Weak::upgrade(&own) {
                hub.run();
            }
        });
        hub
    }

    /// Wants it until the answer is dropped; fails, and wants it no more, when the node refuses.
    pub async fn want(
        self: &Rc<Self>,
        kind: Kind,
        name: &str,
        timeout: Option<Duration>,
    ) -> Result<Want, Error> {
        self.wanted.borrow_mut().add(kind, name);
        let mut want = Want {
            hub: Rc::clone(self),
            kind,
            name: name.to_owned(),
            // It may be given up while the node is at it.
            had: true,
        };
        let told = self.tell(kind, name, true, timeout).await;
        if let Err(error) = told {
            // After its time limit nobody knows.
            want.had = error.is(ErrorCode::Timeout);
            return Err(error);
        }
        Ok(want)
    }

    /// There are new permissions.
    pub fn granted(self: &Rc<Self>) {
        if self.refused.get() {
            self.restore();
        }
    }

    fn is_leaving(&self, kind: Kind, name: &str) -> bool {
        self.leaving.borrow().contains(&(kind, name.to_owned()))
    }

    async fn tell(
        &self,
        kind: Kind,
        name: &str,
        on: bool,
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        let name = name.to_owned();
        let rpc = &self.rpc;
        match kind {
            Kind::Event => {
                let method = if on {
                    Method::EventsSubscribe
                } else {
                    Method::EventsUnsubscribe
                };
                let params = params::Events { events: vec![name] };
                rpc.call::<Empty>(method, &params, timeout).await
            }
            Kind::Topic => {
                let method = if on {
                    Method::PubsubSubscribe
                } else {
                    Method::PubsubUnsubscribe
                };
                rpc.call::<Empty>(method, &params::Topic { topic: name }, timeout)
                    .await
            }
            Kind::Protocol => {
                let method = if on {
                    Method::StreamsHandle
                } else {
                    Method::StreamsUnhandle
                };
                let params = params::Protocols {
                    protocols: vec![name],
                };
                rpc.call::<Empty>(method, &params, timeout).await
            }
        }?;
        Ok(())
    }

    /// The node is there, and is not the one that was told.
    fn restore(self: &Rc<Self>) {
        self.again.set(true);
        self.run();
    }

    /// Tells the node again, until it has heard.
    fn run(self: &Rc<Self>) {
        if self.restoring.get() || self.wanted.borrow().all().is_empty() {
            return;
        }
        self.restoring.set(true);
        let hub = Rc::clone(self);
        spawn_local(async move {
            let mut pause = RESTORE_MIN;
            loop {
                hub.again.set(false);
                if hub.tell_all().await {
                    if !hub.again.get() {
                        break;
                    }
                } else {
                    Delay::new(pause).await;
                    pause = pause.saturating_mul(2).min(RESTORE_MAX);
                }
            }
            hub.restoring.set(false);
        });
    }

    /// False when the node is still not running.
    async fn tell_all(&self) -> bool {
        self.refused.set(false);
        let all = self.wanted.borrow().all();
        for (kind, name) in all {
            if !self.wanted.borrow().has(kind, &name) {
                continue;
            }
            match self.tell(kind, &name, true, None).await {
                Ok(()) => {}
                Err(error) if error.is(ErrorCode::NodeNotRunning) => return false,
                Err(error) => {
                    self.refused.set(true);
                    self.events.deliver(None, &Event::Lost { name, error });
                }
            }
        }
        true
    }
}

/// Something of the node that is wanted as long as this is there.
pub struct Want {
    hub: Rc<Hub>,
    kind: Kind,
    name: String,
    had: bool,
}

impl Drop for Want {
    fn drop(&mut self) {
        let last = self.hub.wanted.borrow_mut().remove(self.kind, &self.name);
        if !last || !self.had {
            return;
        }
        let (hub, kind, name) = (
            Rc::clone(&self.hub),
            self.kind,
            std::mem::take(&mut self.name),
        );
        hub.leaving.borrow_mut().insert((kind, name.clone()));
        spawn_local(async move {
            // Somebody may want it again already.
            if !hub.wanted.borrow().has(kind, &name) {
                // What the node says to that matters to nobody.
                let _ = hub.tell(kind, &name, false, None).await;
            }
            hub.leaving.borrow_mut().remove(&(kind, name));
        });
    }
}
