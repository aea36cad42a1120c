//! An in-memory twin of the browser, and the ends of ports.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    future::Future,
    rc::Rc,
    time::Duration,
};

use futures::future::LocalBoxFuture;
use mooring_api::{
    Descriptor,
    popup::{FromPopup, ToPopup},
    port::FromHost,
    prompt::{Duration as Choice, FromPrompt, ToPrompt},
};
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use crate::{
    About, Area, Host, Outlet, Platform, PlatformError, PortEnd, Sender, Value, from_value,
    signal::Signal, to_value,
};

/// Long enough for anything on one machine; a test that waits longer hangs.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Looks again until there is something. Not where the clock is a test's: what others do takes real time.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, found)
        .await
        .unwrap_or_else(|_| panic!("hangs: {what}"))
}

pub(crate) struct Memory {
    about: About,
    started: Instant,
    /// Milliseconds that the clock on the wall was set forward or back.
    pub(crate) clock: Cell<i64>,
    pub(crate) stored: RefCell<HashMap<(Area, String), Value>>,
    /// Every access to storage fails while this is set.
    pub(crate) broken: Cell<bool>,
    /// There is no room: every write fails while this is set.
    pub(crate) full: Cell<bool>,
    /// Storage survives so many writes more; the one after writes half of the text and then all fails.
    pub(crate) writes_left: Cell<Option<u32>>,
    /// What a write takes.
    pub(crate) write_time: Cell<Duration>,
    /// Prompt windows that are open, oldest first.
    pub(crate) windows: RefCell<Vec<String>>,
    pub(crate) windows_opened: Cell<u32>,
    pub(crate) no_windows: Cell<bool>,
    pub(crate) badge: RefCell<(String, u32)>,
    pub(crate) changed: Signal,
}

impl Memory {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Memory {
            about: About {
                extension_origin: "chrome-extension://abcdef".into(),
                product: "Mooring".into(),
                version: "1.2.3".into(),
                browser: "chrome".into(),
            },
            started: Instant::now(),
            clock: Cell::new(0),
            stored: RefCell::default(),
            broken: Cell::new(false),
            full: Cell::new(false),
            writes_left: Cell::new(None),
            write_time: Cell::new(Duration::ZERO),
            windows: RefCell::default(),
            windows_opened: Cell::new(0),
            no_windows: Cell::new(false),
            badge: RefCell::default(),
            changed: Signal::default(),
        })
    }

    fn check(&self) -> Result<(), PlatformError> {
        if self.broken.get() {
            return Err(PlatformError("the disk is on fire".into()));
        }
        Ok(())
    }

    pub(crate) fn text(&self, key: &str) -> Option<String> {
        match self.stored.borrow().get(&(Area::Storage, key.to_owned())) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }

    pub(crate) fn put(&self, area: Area, key: &str, value: Value) {
        self.stored
            .borrow_mut()
            .insert((area, key.to_owned()), value);
    }

    /// The browser ends: what is for the session only is gone.
    pub(crate) fn end_session(&self) {
        self.stored
            .borrow_mut()
            .retain(|(area, _), _| *area == Area::Storage);
    }
}

#[async_trait::async_trait(?Send)]
impl Platform for Memory {
    fn about(&self) -> &About {
        &self.about
    }

    fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        tokio::task::spawn_local(task);
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    fn now_ms(&self) -> u64 {
        let now = 1_790_000_000_000_i64
            + i64::try_from(self.uptime().as_millis()).unwrap()
            + self.clock.get();
        u64::try_from(now).unwrap()
    }

    async fn get(&self, area: Area, key: &str) -> Result<Option<Value>, PlatformError> {
        self.check()?;
        Ok(self.stored.borrow().get(&(area, key.to_owned())).cloned())
    }

    async fn set(&self, area: Area, key: &str, value: &str) -> Result<(), PlatformError> {
        tokio::time::sleep(self.write_time.get()).await;
        self.check()?;
        if self.full.get() {
            return Err(PlatformError("Resource::kQuotaBytes quota exceeded".into()));
        }
        let mut value = value.to_owned();
        if let Some(left) = self.writes_left.get() {
            if left == 0 {
                self.broken.set(true);
                value.truncate(value.len() / 2);
            }
            self.writes_left.set(Some(left.saturating_sub(1)));
        }
        self.put(area, key, Value::Text(value));
        self.check()
    }

    async fn remove(&self, area: Area, key: &str) -> Result<(), PlatformError> {
        self.check()?;
        self.stored.borrow_mut().remove(&(area, key.to_owned()));
        Ok(())
    }

    async fn open_prompt(&self, id: &str) -> Result<(), PlatformError> {
        if self.no_windows.get() {
            return Err(PlatformError("no windows here".into()));
        }
        self.windows.borrow_mut().push(id.to_owned());
        self.windows_opened.set(self.windows_opened.get() + 1);
        self.changed.notify();
        Ok(())
    }

    async fn close_prompt(&self, id: &str) -> Result<(), PlatformError> {
        self.windows.borrow_mut().retain(|open| open != id);
        self.changed.notify();
        Ok(())
    }

    fn set_badge(&self, state: &str, connections: u32) {
        *self.badge.borrow_mut() = (state.to_owned(), connections);
        self.changed.notify();
    }
}

/// The other end of a port.
#[derive(Default)]
pub(crate) struct Inbox {
    pub(crate) messages: RefCell<VecDeque<Value>>,
    pub(crate) closed: Cell<bool>,
    changed: Signal,
}

impl Outlet for Inbox {
    fn post(&self, message: Value) {
        self.messages.borrow_mut().push_back(message);
        self.changed.notify();
    }

    fn close(&self) {
        self.closed.set(true);
        self.changed.notify();
    }
}

impl Inbox {
    /// Takes the first message that fits, waiting for it. The others stay in order.
    pub(crate) async fn take<T>(&self, fits: impl Fn(&Value) -> Option<T>) -> T {
        let found = async {
            loop {
                let seen = self.changed.seen();
                {
                    let mut messages = self.messages.borrow_mut();
                    let at = messages
                        .iter()
                        .enumerate()
                        .find_map(|(at, m)| fits(m).map(|t| (at, t)));
                    if let Some((at, found)) = at {
                        messages.remove(at);
                        return found;
                    }
                }
                self.changed.changed(seen).await;
            }
        };
        match tokio::time::timeout(SOON, found).await {
            Ok(found) => found,
            Err(_) => panic!(
                "nothing that fits came; there are {:?}",
                self.messages.borrow()
            ),
        }
    }
}

/// A host and the browser around it.
pub(crate) struct World {
    pub(crate) platform: Rc<Memory>,
    pub(crate) host: Host,
}

impl World {
    pub(crate) async fn new() -> World {
        World::on(Memory::new()).await
    }

    pub(crate) async fn on(platform: Rc<Memory>) -> World {
        let host = Host::start(platform.clone()).await;
        World { platform, host }
    }

    /// Waits until `node.status` says this.
    pub(crate) async fn node_is(&self, state: &str) {
        let core = self.host.core();
        let reached = async {
            loop {
                let seen = core.node.seen();
                let status = to_value(&core.node.status()).unwrap();
                if status.get("state").and_then(Value::as_text) == Some(state) {
                    return;
                }
                core.node.changed(seen).await;
            }
        };
        tokio::time::timeout(SOON, reached)
            .await
            .unwrap_or_else(|_| panic!("the node is {:?}", core.node.status()));
    }

    pub(crate) fn connect(&self, sender: &Sender) -> (PortEnd, Rc<Inbox>) {
        let inbox = Rc::new(Inbox::default());
        (self.host.connect(sender, inbox.clone()), inbox)
    }

    pub(crate) fn page(&self, origin: &str) -> Page {
        self.document(origin, None)
    }

    /// A page whose document the browser names.
    pub(crate) fn document(&self, origin: &str, id: Option<&str>) -> Page {
        let sender = Sender {
            document_id: id.map(str::to_owned),
            name: "page".into(),
            origin: Some(origin.into()),
            url: Some(format!("{origin}/")),
            tab_id: Some(1),
            frame_id: Some(0),
            lifecycle: Some("active".into()),
            ..Sender::default()
        };
        let (port, inbox) = self.connect(&sender);
        let ready = inbox.messages.borrow_mut().pop_front().unwrap();
        assert!(
            matches!(ready.get("available"), Some(Value::Map(_))),
            "{ready:?}"
        );
        Page {
            port,
            inbox,
            next: Cell::new(1),
        }
    }

    pub(crate) fn own_page(&self, name: &str, page: &str) -> (PortEnd, Rc<Inbox>) {
        self.connect(&Sender {
            name: name.into(),
            origin: Some("chrome-extension://abcdef".into()),
            url: Some(format!("chrome-extension://abcdef/{page}")),
            extension: true,
            ..Sender::default()
        })
    }

    pub(crate) fn popup(&self) -> Popup {
        let (port, inbox) = self.own_page("popup", "popup.html");
        Popup {
            port,
            inbox,
            next: Cell::new(1),
        }
    }

    /// Waits for a prompt window and opens its page.
    pub(crate) async fn prompt(&self) -> Prompt {
        let platform = &self.platform;
        let opened = async {
            loop {
                let seen = platform.changed.seen();
                if let Some(id) = platform.windows.borrow().last() {
                    return id.clone();
                }
                platform.changed.changed(seen).await;
            }
        };
        let id = tokio::time::timeout(SOON, opened).await.expect("a window");
        let (port, inbox) = self.own_page("prompt", &format!("prompt.html?id={id}"));
        port.receive(to_value(&FromPrompt::Get { id: id.clone() }).unwrap());
        let (origin, asked) = inbox
            .take(|message| match from_value::<ToPrompt>(message.clone()) {
                Ok(ToPrompt::Request {
                    origin,
                    permissions,
                    ..
                }) => Some((origin, permissions)),
                other => panic!("{other:?}"),
            })
            .await;
        Prompt {
            port,
            id,
            origin,
            asked,
        }
    }

    /// Waits until no window is open.
    pub(crate) async fn no_window(&self) {
        let gone = async {
            loop {
                let seen = self.platform.changed.seen();
                if self.platform.windows.borrow().is_empty() {
                    return;
                }
                self.platform.changed.changed(seen).await;
            }
        };
        tokio::time::timeout(SOON, gone)
            .await
            .expect("windows close");
    }

    /// Asks for permissions and has the user allow all.
    pub(crate) async fn grant(&self, page: &Page, permissions: Json) {
        self.allow(page, permissions, Choice::Session).await;
    }

    /// As [`grant`](World::grant), for so long.
    pub(crate) async fn allow(&self, page: &Page, permissions: Json, choice: Choice) {
        let id = page.send("permissions.request", json!({ "permissions": permissions }));
        self.prompt().await.allow(choice);
        page.answer(&id).await.expect("granted");
        self.no_window().await;
    }
}

/// A prompt window.
pub(crate) struct Prompt {
    pub(crate) port: PortEnd,
    pub(crate) id: String,
    pub(crate) origin: String,
    pub(crate) asked: Vec<Descriptor>,
}

impl Prompt {
    pub(crate) fn allow(&self, duration: Choice) {
        self.answer(self.asked.clone(), vec![], duration);
    }

    pub(crate) fn deny(&self, duration: Choice) {
        self.answer(vec![], self.asked.clone(), duration);
    }

    pub(crate) fn answer(
        &self,
        granted: Vec<Descriptor>,
        denied: Vec<Descriptor>,
        duration: Choice,
    ) {
        let answer = FromPrompt::Answer {
            id: self.id.clone(),
            granted,
            denied,
            duration,
        };
        self.port.receive(to_value(&answer).unwrap());
    }
}

/// A page behind its content script.
pub(crate) struct Page {
    pub(crate) port: PortEnd,
    pub(crate) inbox: Rc<Inbox>,
    next: Cell<u64>,
}

pub(crate) type Answer = Result<Json, (i32, Json)>;

impl Page {
    /// Sends anything.
    pub(crate) fn raw(&self, m: Value) {
        self.port
            .receive(Value::object([("t", Value::text("rpc")), ("m", m)]));
    }

    /// Sends a request with an id of its own, and gives the id.
    pub(crate) fn send(&self, method: &str, params: Json) -> String {
        let id = format!("r{}", self.next.replace(self.next.get() + 1));
        self.raw(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).into());
        id
    }

    /// The one answer to a request, and the stream whose port comes with it.
    pub(crate) async fn answer_with_stream(&self, id: &str) -> (Answer, Option<String>) {
        let (outcome, stream) = self
            .inbox
            .take(|message| {
                if message.get("m")?.get("id")?.as_text() != Some(id) {
                    return None;
                }
                match from_value(message.clone()) {
                    Ok(FromHost::<Json>::Rpc { m, stream }) => Some((m, stream)),
                    other => panic!("{other:?}"),
                }
            })
            .await;
        assert_eq!(outcome["jsonrpc"], "2.0");
        assert!(!self.has_answer(id), "a second answer");
        let members = outcome.as_object().unwrap();
        assert_eq!(members.len(), 3, "{outcome}");
        let answer = match members.get("error") {
            None => Ok(outcome["result"].clone()),
            Some(error) => {
                assert!(error["message"].is_string() && error["data"]["name"].is_string());
                Err((
                    i32::try_from(error["code"].as_i64().unwrap()).unwrap(),
                    error["data"].clone(),
                ))
            }
        };
        (answer, stream)
    }

    pub(crate) async fn answer(&self, id: &str) -> Answer {
        self.answer_with_stream(id).await.0
    }

    pub(crate) async fn call(&self, method: &str, params: Json) -> Answer {
        let id = self.send(method, params);
        self.answer(&id).await
    }

    /// What the page holds.
    pub(crate) async fn held(&self) -> Json {
        let held = self.call("permissions.query", json!({})).await.unwrap();
        held["granted"].clone()
    }

    /// The code of the error that a request ends with.
    pub(crate) async fn fails(&self, method: &str, params: Json) -> i32 {
        match self.call(method, params.clone()).await {
            Err((code, _)) => code,
            Ok(result) => panic!("{method} {params} gave {result}"),
        }
    }

    pub(crate) fn has_answer(&self, id: &str) -> bool {
        self.inbox.messages.borrow().iter().any(|message| {
            message
                .get("m")
                .is_some_and(|m| m.get("id").and_then(Value::as_text) == Some(id))
        })
    }

    /// The next notification of that name, and the stream whose port comes with it.
    pub(crate) async fn notification(&self, method: &str) -> (Json, Option<String>) {
        self.inbox
            .take(|message| {
                let Ok(FromHost::<Json>::Rpc { m, stream }) = from_value(message.clone()) else {
                    return None;
                };
                (m["method"] == *method).then(|| (m["params"].clone(), stream))
            })
            .await
    }

    /// Says something on a stream port.
    pub(crate) fn say(&self, stream: &str, m: Value) {
        self.port.receive(Value::object([
            ("t", Value::text("port")),
            ("stream", Value::text(stream)),
            ("m", m),
        ]));
    }

    /// The next message of a stream port.
    pub(crate) async fn hear(&self, stream: &str) -> Value {
        self.inbox
            .take(|message| {
                let this = message.get("t").and_then(Value::as_text) == Some("port")
                    && message.get("stream").and_then(Value::as_text) == Some(stream);
                this.then(|| message.get("m").cloned().unwrap())
            })
            .await
    }
}

/// The popup.
pub(crate) struct Popup {
    pub(crate) port: PortEnd,
    pub(crate) inbox: Rc<Inbox>,
    next: Cell<u32>,
}

impl Popup {
    pub(crate) async fn snapshot(
        &self,
        fits: impl Fn(&mooring_api::popup::Snapshot) -> bool,
    ) -> mooring_api::popup::Snapshot {
        self.inbox
            .take(|message| match from_value::<ToPopup>(message.clone()) {
                Ok(ToPopup::Snapshot(snapshot)) => fits(&snapshot).then_some(snapshot),
                _ => None,
            })
            .await
    }

    pub(crate) async fn command(
        &self,
        command: mooring_api::popup::Command,
    ) -> Result<(), mooring_api::ErrorObject> {
        let id = self.next.replace(self.next.get() + 1);
        self.port
            .receive(to_value(&FromPopup { id, command }).unwrap());
        self.inbox
            .take(|message| match from_value::<ToPopup>(message.clone()) {
                Ok(ToPopup::Done { id: done, error }) if done == id => {
                    Some(error.map_or(Ok(()), Err))
                }
                _ => None,
            })
            .await
    }
}

/// Runs a test on one thread, as a browser would. With `paused`, time passes only when everybody waits.
pub(crate) fn run(paused: bool, test: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(paused);
    let local = tokio::task::LocalSet::new();
    local.block_on(&builder.build().unwrap(), test);
}
