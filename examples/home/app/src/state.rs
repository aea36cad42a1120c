//! What the page knows, and what the user wants.

use futures::channel::mpsc;
use gloo_storage::{LocalStorage, Storage};
use home_shared::{Link, Listed, Note};
use leptos::prelude::*;

use crate::session;

/// Where the link is kept between visits: the site's own storage, on this machine.
const LINK: &str = "link";
/// Commands that wait for the connection; a person clicks no faster than they are done.
const MAX_COMMANDS: usize = 16;

/// How it stands with the program at home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// There is no link yet.
    Unlinked,
    /// On the way, or on the way again.
    Connecting,
    /// Notes can be read and written.
    Connected,
    /// It is tried again by itself.
    Away(String),
    /// Only the user can go on: why.
    Stopped(String),
}

/// What the user wants of the session.
#[derive(Debug)]
pub enum Command {
    /// Go there, instead of where it is.
    Link(Link),
    /// Show a note.
    Open(String),
    /// Put the text in the place of what the note says, if it says what `base` is the revision of.
    Save {
        name: String,
        text: String,
        base: Option<String>,
    },
    /// Remove the note.
    Remove { name: String, base: String },
}

/// Signals, which are handles: a copy is the same.
#[derive(Debug, Clone, Copy)]
pub struct State {
    pub phase: RwSignal<Phase>,
    pub notes: RwSignal<Vec<Listed>>,
    /// The note that is shown, as it is at home.
    pub open: RwSignal<Option<Note>>,
    /// What is in the editor.
    pub draft: RwSignal<String>,
    /// The open note was changed at home while the user was writing: that one.
    pub theirs: RwSignal<Option<Note>>,
    /// What the last command came to, if it failed.
    pub problem: RwSignal<Option<String>>,
    commands: StoredValue<mpsc::Sender<Command>>,
}

impl State {
    /// Begins the session, with the link of the last visit.
    pub fn new() -> Self {
        let (commands, wanted) = mpsc::channel(MAX_COMMANDS);
        let state = State {
            phase: RwSignal::new(Phase::Unlinked),
            notes: RwSignal::default(),
            open: RwSignal::default(),
            draft: RwSignal::default(),
            theirs: RwSignal::default(),
            problem: RwSignal::default(),
            commands: StoredValue::new(commands),
        };
        leptos::task::spawn_local(session::run(state, wanted));
        let kept: Option<String> = LocalStorage::get(LINK).ok();
        if let Some(link) = kept.and_then(|link| link.parse().ok()) {
            state.send(Command::Link(link));
        }
        state
    }

    /// Asks the session for something.
    pub fn send(self, command: Command) {
        self.problem.set(None);
        let sent = self
            .commands
            .try_update_value(|commands| commands.try_send(command).is_ok());
        if sent != Some(true) {
            self.problem.set(Some("too much at once".to_owned()));
        }
    }

    /// Goes to another home, and remembers it.
    pub fn link(self, text: &str) {
        match text.parse::<Link>() {
            Ok(link) => {
                // A browser that keeps nothing asks again next time.
                let _ = LocalStorage::set(LINK, link.to_string());
                self.send(Command::Link(link));
            }
            Err(bad) => self.problem.set(Some(bad.to_string())),
        }
    }

    /// Whether the user has written something that is not saved.
    pub fn is_dirty(self) -> bool {
        let draft = self.draft.read();
        self.open
            .with(|open| open.as_ref().is_some_and(|open| open.text != *draft))
    }

    /// Shows a note as it is at home; what is in the editor goes.
    pub fn show(self, note: Option<Note>) {
        self.theirs.set(None);
        self.draft.set(
            note.as_ref()
                .map(|note| note.text.clone())
                .unwrap_or_default(),
        );
        self.open.set(note);
    }

    /// The open note is another one at home. The editor follows, unless the user has written in it.
    pub fn changed_at_home(self, note: Note) {
        let same = self
            .open
            .with_untracked(|open| open.as_ref().map(|open| open.revision == note.revision));
        if same != Some(false) {
            return;
        }
        if untrack(|| self.is_dirty()) {
            self.theirs.set(Some(note));
        } else {
            self.show(Some(note));
        }
    }
}
