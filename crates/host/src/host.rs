//! The host as a whole: what all ports share, and how a port becomes a session, a popup or a prompt.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use futures::{channel::oneshot, lock::Mutex};
use mooring_api::{
    Descriptor,
    port::names,
    results::{Hello, Status},
};

use crate::{
    Error, Outlet, Platform, Sender, Value,
    announce::{self, Announcing},
    grants::{
        Document, Grants,
        store::{self, Records},
    },
    ice_servers::Servers,
    known_peers::{self, Remembered},
    limits::{MAX_EXTENSION_PORTS, RESTART_MAX, RESTART_MIN},
    popup::{self, PopupPort, Popups},
    prompt::{PromptPort, Prompts},
    session::{self, Session, Sessions},
    signal::Signal,
    streams::Handlers,
    supervisor::Supervisor,
    topics::Topics,
};

/// The node host.
#[derive(Clone)]
pub struct Host {
    core: Rc<Core>,
}

/// What all ports share.
pub(crate) struct Core {
    pub(crate) platform: Rc<dyn Platform>,
    pub(crate) grants: RefCell<Grants>,
    /// What is wrong with the stored grants, in words for the user.
    pub(crate) read_trouble: Cell<Option<&'static str>>,
    /// Why what was decided last is not stored, in words for the user.
    unstored: Cell<Option<&'static str>>,
    /// The version of the grants that is stored.
    saved: Mutex<u64>,
    /// The grants of before are still in a store that could not be read.
    grants_unread: bool,
    pub(crate) announcing: Announcing,
    pub(crate) ice_servers: Servers,
    pub(crate) remembered: Remembered,
    pub(crate) sessions: Sessions,
    pub(crate) prompts: Prompts,
    pub(crate) popups: Popups,
    pub(crate) handlers: Handlers,
    pub(crate) topics: Topics,
    pub(crate) node: Supervisor,
    /// Anything that the popup or the badge shows.
    pub(crate) changed: Signal,
    /// Grants, for whoever waits for one to end.
    pub(crate) grants_changed: Signal,
    extension_ports: Cell<usize>,
}

impl Host {
    /// Reads the grants and begins to start the node, which goes on afterwards.
    pub async fn start(platform: Rc<dyn Platform>) -> Host {
        let loaded = store::load(&*platform).await;
        let version = loaded.grants.version();
        let core = Rc::new(Core {
            announcing: Announcing::load(&*platform).await,
            ice_servers: Servers::default(),
            remembered: Remembered::default(),
            grants: RefCell::new(loaded.grants),
            read_trouble: Cell::new(loaded.trouble),
            unstored: Cell::new(None),
            saved: Mutex::new(version),
            grants_unread: loaded.unread,
            sessions: Sessions::default(),
            prompts: Prompts::default(),
            popups: Popups::default(),
            handlers: Handlers::default(),
            topics: Topics::default(),
            node: Supervisor::default(),
            changed: Signal::default(),
            grants_changed: Signal::default(),
            extension_ports: Cell::new(0),
            platform,
        });
        core.spawn(crate::supervisor::run(core.clone()));
        core.spawn(crate::supervisor::watch_clock(core.clone()));
        core.spawn(store_again(core.clone()));
        core.spawn(session::forget_the_gone(core.clone()));
        core.spawn(announce::settle(core.clone()));
        core.spawn(popup::observe(core.clone()));
        core.spawn(known_peers::keep(core.clone()));
        core.spawn(crate::private_streams::observe(core.clone()));
        core.spawn(session::permissions::expire(core.clone()));
        Host { core }
    }

    /// Takes a port. The first message to it has been posted when this returns.
    pub fn connect(&self, sender: &Sender, outlet: Rc<dyn Outlet>) -> PortEnd {
        let core = &self.core;
        let kind = match (sender.name.as_str(), sender.extension) {
            (names::PAGE, false) => match session::connect(core, sender, outlet) {
                Some(session) => Kind::Page(session),
                None => Kind::Silent,
            },
            (names::POPUP, true) if page_is(core, sender, "popup.html") => {
                match self.extension_port() {
                    Some(slot) => Kind::Popup(PopupPort::open(core, outlet), slot),
                    None => refuse(&*outlet),
                }
            }
            (names::PROMPT, true) if page_is(core, sender, "prompt.html") => {
                match self.extension_port() {
                    Some(slot) => Kind::Prompt(PromptPort::open(core, outlet), slot),
                    None => refuse(&*outlet),
                }
            }
            _ => refuse(&*outlet),
        };
        PortEnd {
            core: core.clone(),
            kind,
            open: Cell::new(true),
        }
    }

    /// The browser says that the machine's network is lost, or is there again.
    pub fn set_network(&self, available: bool) {
        self.core.node.set_network(&self.core, available);
    }

    /// Ends the node and all sessions.
    pub async fn shutdown(&self) {
        self.core.sessions.close_all(&self.core);
        crate::supervisor::shutdown(&self.core).await;
    }

    #[cfg(test)]
    pub(crate) fn core(&self) -> &Rc<Core> {
        &self.core
    }

    fn extension_port(&self) -> Option<ExtensionSlot> {
        let taken = self.core.extension_ports.get();
        (taken < MAX_EXTENSION_PORTS).then(|| {
            self.core.extension_ports.set(taken.saturating_add(1));
            ExtensionSlot(self.core.clone())
        })
    }
}

/// Stores what could not be stored, as soon as it can be.
async fn store_again(core: Rc<Core>) {
    let mut pause = RESTART_MIN;
    loop {
        let seen = core.changed.seen();
        if core.unstored.get().is_none() {
            pause = RESTART_MIN;
            core.changed.changed(seen).await;
            continue;
        }
        core.platform.sleep(pause).await;
        pause = pause.saturating_mul(2).min(RESTART_MAX);
        if let Err(fault) = core.save_grants().await {
            tracing::warn!(%fault, "the grants still cannot be stored");
        }
    }
}

fn refuse(outlet: &dyn Outlet) -> Kind {
    outlet.close();
    Kind::Silent
}

/// Whether the browser says that the port is from that page of ours.
fn page_is(core: &Core, sender: &Sender, page: &str) -> bool {
    let Some(path) = sender
        .url
        .as_deref()
        .and_then(|url| url.strip_prefix(core.platform.about().extension_origin.as_str()))
        .and_then(|path| path.strip_prefix('/'))
    else {
        return false;
    };
    path.split(['?', '#']).next() == Some(page)
}

struct ExtensionSlot(Rc<Core>);

impl Drop for ExtensionSlot {
    fn drop(&mut self) {
        let ports = &self.0.extension_ports;
        ports.set(ports.get().saturating_sub(1));
    }
}

enum Kind {
    /// Not served: whatever comes is dropped.
    Silent,
    Page(Rc<Session>),
    Popup(Rc<PopupPort>, #[allow(dead_code)] ExtensionSlot),
    Prompt(Rc<PromptPort>, #[allow(dead_code)] ExtensionSlot),
}

/// The host's end of a port. Dropping it is the same as [`closed`](PortEnd::closed).
pub struct PortEnd {
    core: Rc<Core>,
    kind: Kind,
    open: Cell<bool>,
}

impl PortEnd {
    /// A message came. Anything may come.
    pub fn receive(&self, message: Value) {
        if !self.open.get() {
            return;
        }
        match &self.kind {
            Kind::Silent => {}
            Kind::Page(session) => session::receive(&self.core, session, message),
            Kind::Popup(popup, _) => popup.receive(&self.core, message),
            Kind::Prompt(prompt, _) => prompt.receive(&self.core, message),
        }
    }

    /// The other end is gone.
    pub fn closed(&self) {
        if !self.open.replace(false) {
            return;
        }
        match &self.kind {
            Kind::Silent => {}
            Kind::Page(session) => session::close(&self.core, session),
            Kind::Popup(popup, _) => popup.closed(&self.core),
            Kind::Prompt(prompt, _) => prompt.closed(&self.core),
        }
    }
}

impl Drop for PortEnd {
    fn drop(&mut self) {
        self.closed();
    }
}

impl Core {
    /// Runs a task beside this one.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.platform.spawn(Box::pin(task));
    }

    /// Who we are, to a page.
    pub(crate) fn hello(&self) -> Hello {
        let about = self.platform.about();
        Hello {
            version: mooring_api::VERSION,
            product: about.product.clone(),
            product_version: about.version.clone(),
        }
    }

    /// What an origin holds without a document.
    pub(crate) fn lasting(&self, origin: &str) -> Vec<Descriptor> {
        let now = self.platform.now_ms();
        self.grants.borrow().held(origin, &Document::none(), now)
    }

    /// Whether a document of an origin holds anything.
    pub(crate) fn holds_something(&self, origin: &str, document: &Document) -> bool {
        let now = self.platform.now_ms();
        !self.grants.borrow().held(origin, document, now).is_empty()
    }

    /// Tells whom it concerns that grants are not what they were.
    pub(crate) fn note_grants(&self) {
        self.grants_changed.notify();
        self.changed.notify();
    }

    /// Stores the grants as they are now. Calls that come while one writes are served by one more write.
    ///
    /// # Errors
    /// [`Error::GrantsUnread`] while the store holds what could not be read: what is decided then holds until the
    /// host ends, and nothing that was decided before is lost.
    pub(crate) async fn save_grants(&self) -> Result<(), Error> {
        if self.grants_unread {
            return Err(Error::GrantsUnread);
        }
        let stored = self.write_grants().await;
        self.note_stored(stored.as_ref().err());
        stored
    }

    async fn write_grants(&self) -> Result<(), Error> {
        let mut saved = self.saved.lock().await;
        let (version, records) = {
            let grants = self.grants.borrow();
            (grants.version(), Records::of(&grants)?)
        };
        if *saved != version {
            store::save(&*self.platform, &records).await?;
            *saved = version;
        }
        Ok(())
    }

    /// What was decided is stored, or why it is not.
    fn note_stored(&self, fault: Option<&Error>) {
        let words = fault.map(|fault| {
            if fault.is_full() {
                "The storage is full: permissions that were decided last hold only until the browser ends. Free some disk space."
            } else {
                "Permissions that were decided last could not be stored, and hold only until the browser ends."
            }
        });
        if self.unstored.replace(words) != words {
            self.changed.notify();
            session::events::state_changed(self);
        }
    }

    /// What is wrong although the node may run, in words.
    pub(crate) fn trouble(&self) -> Option<&'static str> {
        self.unstored.get().or(self.read_trouble.get())
    }

    /// As `node.status` says it.
    pub(crate) fn status(&self) -> Status {
        let mut status = self.node.status();
        status.reason = status.reason.or_else(|| self.trouble().map(str::to_owned));
        status
    }

    /// As [`save_grants`](Core::save_grants), to its end even if whoever asked goes away meanwhile.
    pub(crate) async fn save_grants_for_good(self: &Rc<Self>) -> Result<(), Error> {
        let (done, result) = oneshot::channel();
        let core = self.clone();
        self.spawn(async move {
            // A request that ended does not wait any more.
            let _ = done.send(core.save_grants().await);
        });
        result.await.unwrap_or(Err(Error::StorageTimeout))
    }
}
