//! A page's port: one session a document.

pub(crate) mod dht;
pub(crate) mod dispatch;
mod envelope;
pub(crate) mod events;
mod gate;
mod needs;
pub(crate) mod permissions;
mod plan;
mod pubsub;
mod work;

pub(crate) use work::{count, page_connection};

use self::needs::Needs;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
    time::Duration,
};

use futures::channel::oneshot;
use mooring_api::{Descriptor, event::EventName, jsonrpc::Call, port::FromHost, results::Hello};

use crate::{
    Outlet, Sender, Value,
    announce::Announced,
    grants::Document,
    host::Core,
    limits::{
        DIAL_BURST, DIALS_PER_SECOND, DOCUMENT_RETURN, EVENTS_PER_SECOND, JOIN_BURST,
        JOINS_PER_SECOND, LOOKUP_BURST, LOOKUPS_PER_SECOND, MAX_ORIGINS, MAX_SESSIONS,
        MAX_SESSIONS_PER_ORIGIN, MESSAGE_BURST, MESSAGE_BYTES_BURST, MESSAGE_BYTES_PER_SECOND,
        MESSAGES_PER_SECOND, PROMPT_BURST, PROMPT_REFILL, PUBLISHES_PER_SECOND, QUICK_PER_SECOND,
        REQUESTS_PER_SECOND,
    },
    prompt::Asking,
    quota::Bucket,
    streams::StreamPort,
    to_value,
};

/// An origin and its quotas. It outlives its documents, so that coming back does not refill them.
pub(crate) struct Site {
    pub(crate) origin: Rc<str>,
    documents: Cell<usize>,
    /// When its last document went.
    left: Cell<Duration>,
    pub(crate) in_flight: Rc<Cell<u32>>,
    pub(crate) streams: Rc<Cell<u32>>,
    pub(crate) quick: Bucket,
    pub(crate) requests: Bucket,
    pub(crate) dials: Bucket,
    pub(crate) lookups: Bucket,
    pub(crate) lookups_in_flight: Rc<Cell<u32>>,
    pub(crate) publishes: Bucket,
    /// Topics that the node joins for it.
    pub(crate) joins: Bucket,
    pub(crate) prompts: Bucket,
    pub(crate) asking: RefCell<Asking>,
}

impl Site {
    fn new(origin: &str) -> Self {
        Site {
            origin: Rc::from(origin),
            documents: Cell::default(),
            left: Cell::default(),
            in_flight: Rc::default(),
            streams: Rc::default(),
            quick: Bucket::per_second(QUICK_PER_SECOND, QUICK_PER_SECOND),
            requests: Bucket::per_second(REQUESTS_PER_SECOND, REQUESTS_PER_SECOND),
            dials: Bucket::per_second(DIAL_BURST, DIALS_PER_SECOND),
            lookups: Bucket::per_second(LOOKUP_BURST, LOOKUPS_PER_SECOND),
            lookups_in_flight: Rc::default(),
            publishes: Bucket::per_second(PUBLISHES_PER_SECOND, PUBLISHES_PER_SECOND),
            joins: Bucket::per_second(JOIN_BURST, JOINS_PER_SECOND),
            prompts: Bucket::every(PROMPT_BURST, PROMPT_REFILL),
            asking: RefCell::default(),
        }
    }
}

/// What a document holds, as long as nothing changed and none of it ended.
struct HeldCache {
    version: u64,
    until: u64,
    from: u64,
    held: Rc<[Descriptor]>,
}

/// A request that is being worked on.
struct InFlight {
    /// Ends the request with an answer; dropping it ends it in silence.
    end: oneshot::Sender<Ended>,
    needs: Needs,
}

/// Why a request is ended before it is done.
enum Ended {
    /// The page cancelled it: 5008.
    Cancelled,
    /// What it needs is not held any more: 4100.
    Revoked,
}

/// One document's session.
pub(crate) struct Session {
    /// Unique while this host runs.
    pub(crate) id: u64,
    /// Its document, which may have been there before this host.
    pub(crate) document: Document,
    pub(crate) site: Rc<Site>,
    outlet: Rc<dyn Outlet>,
    closed: Cell<bool>,
    /// By [`mooring_api::RequestId::key`].
    in_flight: RefCell<HashMap<String, InFlight>>,
    subscriptions: RefCell<BTreeSet<EventName>>,
    events: Bucket,
    /// Messages of topics that it is given.
    pub(crate) messages: Bucket,
    pub(crate) message_bytes: Bucket,
    streams: RefCell<HashMap<String, Rc<StreamPort>>>,
    held: RefCell<Option<HeldCache>>,
}

impl Session {
    /// Posts a message, unless the document is gone. The messages are put together by hand, which copies nothing;
    /// a test compares them with [`mooring_api::port::FromHost`].
    fn post(&self, message: Value) {
        if !self.closed.get() {
            self.outlet.post(message);
        }
    }

    /// Posts a JSON-RPC message, and with it the port of a stream.
    pub(crate) fn post_rpc(&self, m: Value, stream: Option<&str>) {
        let mut message = vec![("t".to_owned(), Value::text("rpc")), ("m".to_owned(), m)];
        if let Some(stream) = stream {
            message.push(("stream".to_owned(), Value::text(stream)));
        }
        self.post(Value::Map(message));
    }

    /// Posts a message of a stream port.
    pub(crate) fn post_port(&self, stream: &str, m: Value) {
        self.post(Value::object([
            ("t", Value::text("port")),
            ("stream", Value::text(stream)),
            ("m", m),
        ]));
    }

    /// Posts a notification.
    pub(crate) fn notify<P: serde::Serialize>(
        &self,
        method: &str,
        params: &P,
        stream: Option<&str>,
    ) {
        match to_value(&Call::notification(method, params)) {
            Ok(m) => self.post_rpc(m, stream),
            Err(error) => tracing::error!(%error, "a notification could not be made"),
        }
    }

    /// Tells the content script what the document is subscribed to, for the next host.
    fn tell_subscriptions(&self) {
        let subscriptions = self.subscriptions.borrow();
        let names = subscriptions.iter().map(|event| Value::text(event.name()));
        self.post(Value::object([
            ("t", Value::text("events")),
            ("events", Value::List(names.collect())),
        ]));
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    pub(crate) fn origin(&self) -> &Rc<str> {
        &self.site.origin
    }

    /// All that this document holds now.
    pub(crate) fn held(&self, core: &Core) -> Rc<[Descriptor]> {
        let now = core.platform.now_ms();
        let grants = core.grants.borrow();
        let mut cache = self.held.borrow_mut();
        if let Some(cache) = &*cache
            && cache.version == grants.version()
            && (cache.from..cache.until).contains(&now)
        {
            return cache.held.clone();
        }
        let held: Rc<[Descriptor]> = grants.held(self.origin(), &self.document, now).into();
        *cache = Some(HeldCache {
            version: grants.version(),
            until: grants.next_end().unwrap_or(u64::MAX),
            from: now,
            held: held.clone(),
        });
        held
    }

    /// Ends the requests in flight that need more than is held now. What they have begun is kept by nobody.
    fn end_requests_without(&self, held: &[Descriptor]) {
        // Taken out first: sending wakes the tasks.
        let ended: Vec<InFlight> = {
            let mut in_flight = self.in_flight.borrow_mut();
            let keys: Vec<String> = in_flight
                .iter()
                .filter(|(_, request)| !request.needs.met_by(held))
                .map(|(key, _)| key.clone())
                .collect();
            keys.iter()
                .filter_map(|key| in_flight.remove(key))
                .collect()
        };
        for request in ended {
            // It may have ended by itself just now.
            let _ = request.end.send(Ended::Revoked);
        }
    }

    pub(crate) fn add_stream(&self, stream: Rc<StreamPort>) {
        self.streams.borrow_mut().insert(stream.id.clone(), stream);
    }

    pub(crate) fn remove_stream(&self, id: &str) {
        self.streams.borrow_mut().remove(id);
    }

    pub(crate) fn stream(&self, id: &str) -> Option<Rc<StreamPort>> {
        self.streams.borrow().get(id).cloned()
    }

    /// The streams there are, to be gone through without a borrow.
    pub(crate) fn all_streams(&self) -> Vec<Rc<StreamPort>> {
        self.streams.borrow().values().cloned().collect()
    }
}

/// Every session, and every origin that had one lately.
#[derive(Default)]
pub(crate) struct Sessions {
    all: RefCell<BTreeMap<u64, Rc<Session>>>,
    sites: RefCell<HashMap<Rc<str>, Rc<Site>>>,
    next: Cell<u64>,
}

impl Sessions {
    /// The sessions there are, to be gone through without a borrow.
    pub(crate) fn all(&self) -> Vec<Rc<Session>> {
        self.all.borrow().values().cloned().collect()
    }

    pub(crate) fn of_origin(&self, origin: &str) -> Vec<Rc<Session>> {
        self.all
            .borrow()
            .values()
            .filter(|session| **session.origin() == *origin)
            .cloned()
            .collect()
    }

    pub(crate) fn get(&self, id: u64) -> Option<Rc<Session>> {
        self.all.borrow().get(&id).cloned()
    }

    /// Open documents of an origin.
    pub(crate) fn documents(&self, origin: &str) -> usize {
        self.sites
            .borrow()
            .get(origin)
            .map_or(0, |site| site.documents.get())
    }

    fn is_there(&self, document: &Document) -> bool {
        self.all
            .borrow()
            .values()
            .any(|session| session.document == *document)
    }

    pub(crate) fn close_all(&self, core: &Rc<Core>) {
        for session in self.all() {
            close(core, &session);
        }
    }

    fn site(&self, origin: &str) -> Option<Rc<Site>> {
        let mut sites = self.sites.borrow_mut();
        if let Some(site) = sites.get(origin) {
            return Some(site.clone());
        }
        if sites.len() >= MAX_ORIGINS {
            let gone = sites
                .values()
                .filter(|site| site.documents.get() == 0)
                .min_by_key(|site| site.left.get())
                .map(|site| site.origin.clone())?;
            sites.remove(&gone);
        }
        let site = Rc::new(Site::new(origin));
        sites.insert(site.origin.clone(), site.clone());
        Some(site)
    }

    fn open(
        &self,
        origin: &str,
        document: Option<&str>,
        outlet: Rc<dyn Outlet>,
    ) -> Result<Rc<Session>, Rc<dyn Outlet>> {
        if self.all.borrow().len() >= MAX_SESSIONS {
            return Err(outlet);
        }
        let site = match self.site(origin) {
            Some(site) if site.documents.get() < MAX_SESSIONS_PER_ORIGIN => site,
            _ => return Err(outlet),
        };
        site.documents.set(site.documents.get().saturating_add(1));
        let id = self.next.get().wrapping_add(1);
        self.next.set(id);
        let session = Rc::new(Session {
            id,
            document: Document::new(id, document),
            site,
            outlet,
            closed: Cell::new(false),
            in_flight: RefCell::default(),
            subscriptions: RefCell::default(),
            events: Bucket::per_second(EVENTS_PER_SECOND, EVENTS_PER_SECOND),
            messages: Bucket::per_second(MESSAGE_BURST, MESSAGES_PER_SECOND),
            message_bytes: Bucket::per_second(MESSAGE_BYTES_BURST, MESSAGE_BYTES_PER_SECOND),
            streams: RefCell::default(),
            held: RefCell::default(),
        });
        self.all.borrow_mut().insert(id, session.clone());
        Ok(session)
    }
}

/// Takes a page's port: a session where the document is served, else silence.
pub(crate) fn connect(
    core: &Rc<Core>,
    sender: &Sender,
    outlet: Rc<dyn Outlet>,
) -> Option<Rc<Session>> {
    let document = sender.document_id.as_deref();
    // Judged once: what a document has been told stays told.
    let told = |origin: &str| match core.announcing.now() {
        Announced::Everywhere => Some(true),
        _ if core.holds_something(origin, &Document::new(0, document)) => Some(true),
        Announced::Allowed => Some(false),
        Announced::Unread => None,
    };
    let opened = match gate::served_origin(sender).map(|origin| (told(&origin), origin)) {
        Some((Some(true), origin)) => core.sessions.open(&origin, document, outlet),
        Some((None, _)) => {
            outlet.close();
            return None;
        }
        _ => Err(outlet),
    };
    match opened {
        Ok(session) => {
            ready(&*session.outlet, Some(core.hello()));
            core.changed.notify();
            Some(session)
        }
        Err(outlet) => {
            ready(&*outlet, None);
            None
        }
    }
}

fn ready(outlet: &dyn Outlet, available: Option<Hello>) {
    match to_value(&FromHost::<()>::Ready { available }) {
        Ok(message) => outlet.post(message),
        Err(error) => tracing::error!(%error, "an announcement could not be made"),
    }
}

/// A message from the content script.
pub(crate) fn receive(core: &Rc<Core>, session: &Rc<Session>, mut message: Value) {
    let kind = message.get("t").and_then(Value::as_text).map(str::to_owned);
    if kind.as_deref() == Some("events") {
        if let Some(Value::List(names)) = message.take("events") {
            subscribe_again(core, session, &names);
        }
        return;
    }
    let inner = message.take("m");
    match (kind.as_deref(), inner) {
        (Some("rpc"), Some(inner)) => dispatch::receive(core, session, inner),
        (Some("port"), Some(inner)) => {
            let stream = message.get("stream").and_then(Value::as_text);
            // One that is not there has just ended: its messages cross with our `closed`.
            if let Some(stream) = stream.and_then(|id| session.stream(id)) {
                stream.receive(inner);
            }
        }
        // The content script is ours and sends nothing else; a newer one might.
        _ => tracing::debug!("an unknown message from a content script"),
    }
}

/// The document was subscribed to these with a host that is gone. What each needs is judged with every event, so that
/// this gives nothing that it may not have; and how the node is now it has not heard.
fn subscribe_again(core: &Core, session: &Session, names: &[Value]) {
    let events = names
        .iter()
        .take(EventName::ALL.len())
        .filter_map(|name| EventName::from_name(name.as_text()?));
    session.subscriptions.borrow_mut().extend(events);
    session.tell_subscriptions();
    events::state_to(core, session);
}

/// Ends what was given `once` to documents that were there before this host and did not come back to it.
pub(crate) async fn forget_the_gone(core: Rc<Core>) {
    core.platform.sleep(DOCUMENT_RETURN).await;
    let gone = core
        .grants
        .borrow_mut()
        .retain_documents(|document| core.sessions.is_there(document));
    if gone {
        core.note_grants();
        permissions::save_soon(&core);
    }
}

/// The document is gone: all that was its own ends.
pub(crate) fn close(core: &Rc<Core>, session: &Rc<Session>) {
    if session.closed.replace(true) {
        return;
    }
    core.sessions.all.borrow_mut().remove(&session.id);
    let site = &session.site;
    site.documents.set(site.documents.get().saturating_sub(1));
    site.left.set(core.platform.uptime());
    // Dropping the senders ends the requests, in silence. Taken out first: ending may come back here.
    drop(session.in_flight.take());
    session.subscriptions.take();
    for stream in session.streams.take().into_values() {
        stream.reset("gone");
    }
    let lasting = core.lasting(session.origin());
    core.handlers.retain(session.id, &lasting, |_| false);
    core.topics.retain(session.id, &lasting, |_| false);
    // Unless a second port speaks for it, as after a reload of the extension.
    let there = core.sessions.is_there(&session.document);
    let ended = !there
        && core
            .grants
            .borrow_mut()
            .retain_documents(|document| *document != session.document);
    core.note_grants();
    if ended {
        dht::stop_without_grant(core, session.origin());
        permissions::save_soon(core);
    }
}
