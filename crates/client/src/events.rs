//! What the node tells by itself.

use std::{
    cell::RefCell,
    fmt,
    pin::Pin,
    rc::{Rc, Weak},
    task::{Context, Poll},
};

use futures::Stream;
use mooring_api::{
    Descriptor,
    event::{ConnectionEvent, ConnectionUpgraded, EventName, PeerEvent, StateChanged},
    results::Hello,
};
use wasm_bindgen::JsValue;

use crate::{Error, core::mailbox::Mailbox, hub::Want, limits::MAX_EVENTS, web::value};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A peer's first connection opened.
    PeerConnected(PeerEvent),
    /// A peer's last connection closed.
    PeerDisconnected(PeerEvent),
    /// A connection opened.
    ConnectionOpened(ConnectionEvent),
    /// A connection closed.
    ConnectionClosed(ConnectionEvent),
    /// Another connection to a peer is used from now on: a direct one after a relayed one, or the other way round.
    ConnectionUpgraded(ConnectionUpgraded),
    /// The node's state changed.
    StateChanged(StateChanged),
    /// What this site may do changed: all that it now holds.
    PermissionsChanged(Vec<Descriptor>),
    /// The node is there (again): its extension was reloaded, or this page came back from the back/forward cache. What the app handles,
    /// subscribes to and listens to goes on by itself; streams that were open are gone. Comes whatever was asked for.
    NodeAvailable(Hello),
    /// The node came back and would not take back a topic, protocol or event: its permission is gone, say. It is told once more when
    /// permissions were given. Comes whatever was asked for.
    Lost {
        /// The topic, protocol or event.
        name: String,
        /// Why.
        error: Error,
    },
}

impl Event {
    pub(crate) fn read(name: EventName, detail: JsValue) -> Option<Event> {
        let read = match name {
            EventName::PeerConnected => value::read(detail).map(Event::PeerConnected),
            EventName::PeerDisconnected => value::read(detail).map(Event::PeerDisconnected),
            EventName::ConnectionOpened => value::read(detail).map(Event::ConnectionOpened),
            EventName::ConnectionClosed => value::read(detail).map(Event::ConnectionClosed),
            EventName::ConnectionUpgraded => value::read(detail).map(Event::ConnectionUpgraded),
            EventName::NodeStateChanged => value::read(detail).map(Event::StateChanged),
            EventName::PermissionsChanged => Ok(Event::PermissionsChanged(value::granted(&detail))),
        };
        read.ok()
    }
}

/// Events as they come. Dropping it ends them.
pub struct Events {
    mailbox: Rc<Mailbox<Event>>,
    _wants: Vec<Want>,
}

impl Events {
    pub(crate) fn new(mailbox: Rc<Mailbox<Event>>, wants: Vec<Want>) -> Self {
        Events {
            mailbox,
            _wants: wants,
        }
    }

    /// Events that were lost because the app did not take them in time.
    pub fn dropped(&self) -> u64 {
        self.mailbox.dropped()
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.mailbox.poll_take(cx).map(Some)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

type Reader = (Vec<EventName>, Weak<Mailbox<Event>>);

/// Who reads which.
#[derive(Default)]
pub struct Readers(RefCell<Vec<Reader>>);

impl Readers {
    pub fn add(&self, names: &[EventName]) -> Rc<Mailbox<Event>> {
        let mailbox = Rc::new(Mailbox::new(MAX_EVENTS, usize::MAX));
        self.0
            .borrow_mut()
            .push((names.to_vec(), Rc::downgrade(&mailbox)));
        mailbox
    }

    /// To those who asked for it; without a name to all.
    pub fn deliver(&self, name: Option<EventName>, event: &Event) {
        self.0.borrow_mut().retain(|(names, mailbox)| {
            let mailbox = Weak::upgrade(mailbox);
            if let Some(mailbox) = mailbox
                .as_ref()
                .filter(|_| name.is_none_or(|name| names.contains(&name)))
            {
                mailbox.put(event.clone(), 0, 0);
            }
            mailbox.is_some()
        });
    }
}
