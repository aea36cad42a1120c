//! What the dashboard shows, as signals: what the node last said, what the user asked for, and what time it is.

use std::time::Duration;

use leptos::prelude::*;
use mooring_api::{
    ErrorObject,
    popup::{Command, FromPopup, Snapshot},
    results::NodeState,
};

use crate::{
    connection,
    entry::Outside,
    error::Error,
    limits::{LAST_SEEN_EVERY_MS, MAX_DIAL_INPUT, MAX_ROWS, MAX_SERVERS_INPUT, TICK_MS},
    link::{Link, Phase},
    pending::{Pending, Subject},
    preferences::{self, LastSeen, Preferences, Theme},
    rows::{self, Row},
    site,
    status::{self, Head, Status},
    words::{self, Failure},
};

/// A list of the page: the rows, each with a signal of its own.
type Rows<V> = RwSignal<Vec<Row<ArcRwSignal<V>>>>;

/// How far the address that was typed has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dial {
    /// Nothing was asked.
    Idle,
    /// It is being dialed.
    Dialing,
    /// There is a connection now.
    Connected,
    /// There is none.
    Failed(Failure),
}

/// All that the dashboard shows. It can be copied: the signals are handles.
#[derive(Clone, Copy)]
pub struct State {
    outside: StoredValue<Outside, LocalStorage>,
    pending: StoredValue<Pending>,
    link: RwSignal<Link>,
    /// Rings when what is said of a silent node changes.
    silence_timer: StoredValue<Option<TimeoutHandle>>,
    clock: RwSignal<u64>,
    /// The time for ages: milliseconds since 1970, moving in steps that are seldom.
    pub coarse: Memo<u64>,
    /// Whether the node can be heard.
    pub phase: Memo<Phase>,
    /// How the node is, in words.
    pub status: Memo<Status>,
    /// What the node last said, less the lists.
    pub head: RwSignal<Option<Head>>,
    /// The open connections.
    pub connections: Rows<connection::View>,
    /// The sites that hold or were denied something.
    pub sites: Rows<site::View>,
    /// What waits for an answer.
    pub busy: RwSignal<Vec<Subject>>,
    /// The dial form.
    pub dial: RwSignal<Dial>,
    /// What did not work, other than a dial.
    pub notice: RwSignal<Option<Failure>>,
    /// What the popup remembers.
    pub preferences: RwSignal<Preferences>,
}

/// Milliseconds since 1970.
fn now() -> u64 {
    js_sys::Date::now() as u64
}

impl State {
    /// Begins with what was remembered, and starts the clock. It needs a reactive owner.
    pub fn new(outside: Outside) -> State {
        let opened = now();
        let link = RwSignal::new(Link::new(opened));
        let clock = RwSignal::new(opened);
        let head = RwSignal::new(None::<Head>);
        let preferences = RwSignal::new(preferences::load());
        // Ten seconds: an age says minutes, and every step makes each row say its age again.
        let coarse = Memo::new(move |_| {
            let now = clock.get();
            now.saturating_sub(now % 10_000)
        });
        let phase = Memo::new(move |_| link.get().phase(clock.get()));
        let last = preferences.get_untracked().last;
        let status = Memo::new(move |_| {
            head.with(|head| status::say(phase.get(), head.as_ref(), last.as_ref(), coarse.get()))
        });
        let state = State {
            outside: StoredValue::new_local(outside),
            pending: StoredValue::new(Pending::default()),
            link,
            silence_timer: StoredValue::new(None),
            clock,
            coarse,
            phase,
            status,
            head,
            connections: RwSignal::new(Vec::new()),
            sites: RwSignal::new(Vec::new()),
            busy: RwSignal::new(Vec::new()),
            dial: RwSignal::new(Dial::Idle),
            notice: RwSignal::new(None),
            preferences,
        };
        set_interval(move || state.tick(), Duration::from_millis(TICK_MS));
        state.tick_when_silent();
        state
    }

    /// Shows what the node says.
    pub fn show(&self, snapshot: &Snapshot) {
        self.link.update(Link::heard);
        self.clock.set(now());

        let head = Head::new(snapshot);
        self.remember(&head);
        set_if_new(self.head, Some(head));

        let views = snapshot
            .connections
            .iter()
            .take(MAX_ROWS)
            .map(|from| (from.connection.id.clone(), connection::View::new(from)))
            .collect();
        show_rows(self.connections, views);
        let views = snapshot
            .sites
            .iter()
            .take(MAX_ROWS)
            .map(|from| (from.origin.clone(), site::View::new(from)))
            .collect();
        show_rows(self.sites, views);
    }

    /// Takes the answer to a command.
    pub fn done(&self, id: u32, error: Option<&ErrorObject>) {
        let subject = self
            .pending
            .try_update_value(|pending| pending.answered(id));
        let Some(subject) = subject.flatten() else {
            return;
        };
        match error {
            None if subject == Subject::Dial => self.dial.set(Dial::Connected),
            None => set_if_new(self.notice, None),
            Some(error) => self.failed(&subject, words::failure(error)),
        }
        self.tell_busy();
    }

    /// The port closed, or could not be opened.
    pub fn lost(&self) {
        let now = now();
        self.link.update(|link| link.lost(now));
        self.clock.set(now);
        self.tick_when_silent();
        let failure = Failure::plain("The node stopped before it answered.");
        self.all_failed(self.pending.try_update_value(Pending::drain), &failure);
    }

    /// Asks for the node at once.
    pub fn retry(&self) {
        let now = now();
        self.link.update(|link| link.again(now));
        self.clock.set(now);
        self.tick_when_silent();
        self.outside.with_value(Outside::retry);
    }

    /// Loads the whole extension anew.
    pub fn reload(&self) {
        self.outside.with_value(Outside::reload);
    }

    /// Dials what was typed.
    pub fn dial(&self, typed: &str) {
        let address = typed.trim();
        if address.is_empty() {
            self.dial.set(Dial::Failed(Failure::plain(
                "Type or paste an address first.",
            )));
        } else if address.len() > MAX_DIAL_INPUT {
            self.dial.set(Dial::Failed(Failure::plain(
                "That is too long to be an address.",
            )));
        } else {
            self.dial.set(Dial::Dialing);
            let address = address.to_owned();
            self.command(Subject::Dial, Command::Dial { address });
        }
    }

    /// Closes all connections of a peer.
    pub fn hang_up(&self, peer: &str) {
        let command = Command::HangUp {
            peer: peer.to_owned(),
        };
        self.command(Subject::HangUp(peer.to_owned()), command);
    }

    /// Pauses the node or lets it run.
    pub fn set_paused(&self, paused: bool) {
        self.command(Subject::Pause, Command::SetPaused { paused });
    }

    /// Has every site told that there is a node, or only those that hold a permission.
    pub fn set_announced(&self, everywhere: bool) {
        self.command(Subject::Announced, Command::SetAnnounced { everywhere });
    }

    /// Has these STUN and TURN servers asked, one a line; none: those that hold until the user chose.
    pub fn set_ice_servers(&self, typed: Option<&str>) {
        if typed.is_some_and(|typed| typed.len() > MAX_SERVERS_INPUT) {
            let words = "That is too long to be a list of servers.";
            return self.failed(&Subject::IceServers, Failure::plain(words));
        }
        let servers = typed.map(|typed| typed.lines().map(str::to_owned).collect());
        self.command(Subject::IceServers, Command::SetIceServers { servers });
    }

    /// Takes back all that a site holds and was denied.
    pub fn forget(&self, origin: &str) {
        let command = Command::ForgetSite {
            origin: origin.to_owned(),
        };
        self.command(Subject::Forget(origin.to_owned()), command);
    }

    /// Starts anew with another identity.
    pub fn new_identity(&self) {
        self.command(Subject::Identity, Command::NewIdentity);
    }

    /// Reads the stored identity once more.
    pub fn retry_identity(&self) {
        self.command(Subject::Identity, Command::RetryIdentity);
    }

    /// Starts a node in safe mode.
    pub fn start_again(&self) {
        self.command(Subject::Start, Command::StartAgain);
    }

    /// Whether the node speaks, so that a command makes sense.
    pub fn is_live(&self) -> bool {
        self.phase.get() == Phase::Live
    }

    /// Whether the node can change how it is set: a failed one cannot store anything.
    pub fn can_set(&self) -> bool {
        let failed = self.head.with(|head| {
            head.as_ref()
                .is_none_or(|head| head.state == NodeState::Failed)
        });
        self.is_live() && !failed
    }

    /// Whether this waits for an answer.
    pub fn is_busy(&self, subject: &Subject) -> bool {
        self.busy.with(|busy| busy.contains(subject))
    }

    /// Changes what the popup remembers.
    pub fn prefer(&self, change: impl FnOnce(&mut Preferences)) {
        self.preferences.update(change);
        self.preferences.with_untracked(preferences::save);
    }

    /// The theme that was chosen.
    pub fn theme(&self) -> Theme {
        self.preferences.with(|preferences| preferences.theme)
    }

    fn command(&self, subject: Subject, command: Command) {
        let now = now();
        let sent = self
            .pending
            .try_update_value(|pending| pending.begin(subject.clone(), now))
            .unwrap_or(Err(Error::NotConnected))
            .and_then(|id| {
                let message = FromPopup { id, command };
                let sent = self.outside.with_value(|outside| outside.send(&message));
                if sent.is_err() {
                    self.pending.update_value(|pending| {
                        pending.answered(id);
                    });
                }
                sent
            });
        if let Err(error) = sent {
            let words = match error {
                Error::TooMany => "That is too much at once. Try again in a moment.",
                Error::NotConnected => "The node is not running.",
                Error::Message(_) | Error::Command(_) | Error::Clipboard => {
                    "The node could not be asked."
                }
            };
            self.failed(&subject, Failure::plain(words));
        }
        self.tell_busy();
    }

    fn failed(&self, subject: &Subject, failure: Failure) {
        if *subject == Subject::Dial {
            self.dial.set(Dial::Failed(failure));
        } else {
            self.notice.set(Some(failure));
        }
    }

    fn all_failed(&self, subjects: Option<Vec<Subject>>, failure: &Failure) {
        let subjects = subjects.unwrap_or_default();
        for subject in &subjects {
            self.failed(subject, failure.clone());
        }
        if !subjects.is_empty() {
            self.tell_busy();
        }
    }

    fn tell_busy(&self) {
        set_if_new(self.busy, self.pending.with_value(Pending::subjects));
    }

    fn tick(&self) {
        let now = now();
        self.clock.set(now);
        let failure = Failure::plain("The node did not answer in time.");
        let expired = self
            .pending
            .try_update_value(|pending| pending.expired(now));
        self.all_failed(expired, &failure);
        // What a node said that is gone is no longer so.
        let gone = matches!(self.phase.get_untracked(), Phase::Missing | Phase::Gone);
        if gone && self.head.with_untracked(Option::is_some) {
            self.head.set(None);
            self.connections.set(Vec::new());
            self.sites.set(Vec::new());
        }
    }

    /// Looks at the clock when what is said of a silent node changes, not only with the next second.
    fn tick_when_silent(&self) {
        let state = *self;
        let Some(ms) = self.link.with_untracked(|link| link.next_change(now())) else {
            return;
        };
        let ring = move || {
            state.tick();
            // For the next change, and for this one where the wall clock is behind the timer's.
            state.tick_when_silent();
        };
        // One timer: every attempt that fails comes here, and must not leave one behind each time.
        let timer = set_timeout_with_handle(ring, Duration::from_millis(ms)).ok();
        let before = self
            .silence_timer
            .try_update_value(|old| std::mem::replace(old, timer));
        if let Some(before) = before.flatten() {
            before.clear();
        }
    }

    fn remember(&self, head: &Head) {
        let last = LastSeen {
            peer_id: head.peer_id().map(str::to_owned),
            state: head.state,
            at: now(),
        };
        let stale = self.preferences.with_untracked(|known| match &known.last {
            None => true,
            Some(known) => {
                known.peer_id != last.peer_id
                    || known.state != last.state
                    || last.at.saturating_sub(known.at) >= LAST_SEEN_EVERY_MS
            }
        });
        if stale {
            self.prefer(|preferences| preferences.last = Some(last));
        }
    }
}

/// Sets a signal only to something else: whoever follows it has nothing to do otherwise.
fn set_if_new<V: PartialEq + Send + Sync + 'static>(signal: RwSignal<V>, value: V) {
    if signal.with_untracked(|old| *old != value) {
        signal.set(value);
    }
}

fn show_rows<V: PartialEq + Send + Sync + 'static>(list: Rows<V>, views: Vec<(String, V)>) {
    let merged = list.with_untracked(|before| {
        rows::merge(before, views, ArcRwSignal::new, |signal, view| {
            if signal.with_untracked(|old| *old != view) {
                signal.set(view);
            }
        })
    });
    if let Some(rows) = merged {
        list.set(rows);
    }
}
