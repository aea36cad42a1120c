//! Asking the user: one window at a time for each origin, however many requests wait for it.
//!
//! A request that an open question covers shares its answer; the others join in the one question that comes next.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    rc::Rc,
    time::Duration,
};

use futures::channel::oneshot;
use mooring_api::{
    Descriptor, ErrorCode, ErrorObject,
    descriptor::{covers, merge},
    prompt::{Duration as Choice, FromPrompt, ToPrompt},
};

use crate::{
    Error, Outlet, Value,
    error::error,
    from_value,
    grants::{Decision, Document},
    host::Core,
    limits::{
        MAX_OPEN_PROMPTS, MAX_PROMPT_VALUES, PROMPT_LOAD, PROMPT_REFILL, REFUSAL_PAUSE,
        REFUSAL_WINDOW, REFUSALS,
    },
    quota::exceeded,
    session::{Session, Site, events},
    to_value,
};

/// How a question ended for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answered {
    /// The user decided; the grants say what.
    Decided,
    /// The window went without an answer.
    Closed,
    /// Not asked: the origin was refused too often just now. Time until it may ask again.
    Paused(Duration),
}

type Verdict = Result<Answered, ErrorObject>;

/// A request that waits.
struct Waiter {
    key: u64,
    document: Document,
    wanted: Vec<Descriptor>,
    verdict: oneshot::Sender<Verdict>,
}

/// The question that is open.
struct Open {
    id: String,
    asked: Vec<Descriptor>,
    waiters: Vec<Waiter>,
    shown: bool,
}

/// What an origin asks.
#[derive(Default)]
pub(crate) struct Asking {
    open: Option<Open>,
    next: Vec<Waiter>,
    refusals: VecDeque<Duration>,
    paused_until: Duration,
}

impl Asking {
    fn pause(&self, now: Duration) -> Option<Duration> {
        self.paused_until
            .checked_sub(now)
            .filter(|left| !left.is_zero())
    }

    fn refused(&mut self, now: Duration) {
        self.refusals.push_back(now);
        while self
            .refusals
            .front()
            .is_some_and(|first| now.saturating_sub(*first) > REFUSAL_WINDOW)
        {
            self.refusals.pop_front();
        }
        if self.refusals.len() >= REFUSALS {
            self.refusals.clear();
            self.paused_until = now.saturating_add(REFUSAL_PAUSE);
        }
    }
}

/// Every question that is open.
#[derive(Default)]
pub(crate) struct Prompts {
    by_id: RefCell<HashMap<String, Rc<Site>>>,
    next_key: Cell<u64>,
}

/// Verdicts to be delivered when no borrow is held any more.
#[must_use]
#[derive(Default)]
struct Verdicts(Vec<(oneshot::Sender<Verdict>, Verdict)>);

impl Verdicts {
    fn all(waiters: impl IntoIterator<Item = Waiter>, verdict: &Verdict) -> Self {
        Verdicts(
            waiters
                .into_iter()
                .map(|waiter| (waiter.verdict, verdict.clone()))
                .collect(),
        )
    }

    fn deliver(self) {
        for (sender, verdict) in self.0 {
            // A request that ended meanwhile does not wait any more.
            let _ = sender.send(verdict);
        }
    }
}

/// Asks the user for what of `wanted` is neither held nor denied. Dropping the future takes the question back.
pub(crate) async fn ask(
    core: &Rc<Core>,
    session: &Rc<Session>,
    wanted: Vec<Descriptor>,
) -> Verdict {
    let site = &session.site;
    let (verdict, answer) = oneshot::channel();
    let key = core.prompts.next_key.get().wrapping_add(1);
    core.prompts.next_key.set(key);
    let waiter = Waiter {
        key,
        document: session.document.clone(),
        wanted,
        verdict,
    };
    if let Some(left) = site.asking.borrow().pause(core.platform.uptime()) {
        return Ok(Answered::Paused(left));
    }
    let start = {
        let (questions, _) = questions(core, site, &waiter);
        let mut asking = site.asking.borrow_mut();
        match &mut asking.open {
            Some(open)
                if questions
                    .iter()
                    .all(|question| covers(&open.asked, question)) =>
            {
                open.waiters.push(waiter);
                false
            }
            Some(_) => {
                asking.next.push(waiter);
                false
            }
            None => {
                asking.next.push(waiter);
                true
            }
        }
    };
    let _waiting = Waiting {
        core: core.clone(),
        site: site.clone(),
        key,
    };
    if start {
        ask_next(core, site);
    }
    answer
        .await
        .unwrap_or_else(|_| Err(error(ErrorCode::Internal, "The question was lost.")))
}

fn questions(core: &Core, site: &Site, waiter: &Waiter) -> (Vec<Descriptor>, bool) {
    core.grants.borrow().open_questions(
        &site.origin,
        &waiter.document,
        core.platform.now_ms(),
        &waiter.wanted,
    )
}

/// Takes the waiter out again, and the window away with the last one.
struct Waiting {
    core: Rc<Core>,
    site: Rc<Site>,
    key: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let abandoned = {
            let mut asking = self.site.asking.borrow_mut();
            asking.next.retain(|waiter| waiter.key != self.key);
            let emptied = asking.open.as_mut().is_some_and(|open| {
                let before = open.waiters.len();
                open.waiters.retain(|waiter| waiter.key != self.key);
                open.waiters.len() != before && open.waiters.is_empty()
            });
            if emptied { asking.open.take() } else { None }
        };
        if let Some(open) = abandoned {
            take_away(&self.core, &open.id);
            ask_next(&self.core, &self.site);
        }
    }
}

/// Forgets a question and closes its window.
fn take_away(core: &Rc<Core>, id: &str) {
    core.prompts.by_id.borrow_mut().remove(id);
    let (platform, id) = (core.platform.clone(), id.to_owned());
    core.spawn(async move {
        if let Err(fault) = platform.close_prompt(&id).await {
            tracing::debug!(%fault, "a prompt window did not close");
        }
    });
}

/// Opens the next question of an origin, if there is one and none is open.
fn ask_next(core: &Rc<Core>, site: &Rc<Site>) {
    let now = core.platform.uptime();
    let waiting = {
        let mut asking = site.asking.borrow_mut();
        if asking.open.is_some() || asking.next.is_empty() {
            return;
        }
        std::mem::take(&mut asking.next)
    };
    let pause = site.asking.borrow().pause(now);
    let mut verdicts = Verdicts::default();
    let mut asked: Vec<Descriptor> = Vec::new();
    let (mut together, mut later) = (Vec::new(), Vec::new());
    for waiter in waiting {
        let (questions, _) = questions(core, site, &waiter);
        let values: usize = asked
            .iter()
            .chain(&questions)
            .map(|d| d.atoms().len())
            .sum();
        if questions.is_empty() {
            // What came before answered it.
            verdicts.0.push((waiter.verdict, Ok(Answered::Decided)));
        } else if let Some(left) = pause {
            verdicts
                .0
                .push((waiter.verdict, Ok(Answered::Paused(left))));
        } else if !asked.is_empty() && values > MAX_PROMPT_VALUES {
            later.push(waiter);
        } else {
            asked.extend(questions);
            asked = merge(&asked);
            together.push(waiter);
        }
    }
    if together.is_empty() {
        return verdicts.deliver();
    }
    let quota = if core.prompts.by_id.borrow().len() >= MAX_OPEN_PROMPTS {
        Err(exceeded("promptsOpen", PROMPT_REFILL))
    } else {
        site.prompts
            .take(now)
            .map_err(|wait| exceeded("promptsOpen", wait))
    };
    if let Err(error) = quota {
        verdicts.deliver();
        return Verdicts::all(together.into_iter().chain(later), &Err(error)).deliver();
    }
    let id = format!("{:016x}", rand::random::<u64>());
    {
        let mut asking = site.asking.borrow_mut();
        asking.next = later;
        asking.open = Some(Open {
            id: id.clone(),
            asked,
            waiters: together,
            shown: false,
        });
    }
    core.prompts
        .by_id
        .borrow_mut()
        .insert(id.clone(), site.clone());
    verdicts.deliver();
    open_window(core, id);
}

fn open_window(core: &Rc<Core>, id: String) {
    let (opening, opening_id) = (core.clone(), id.clone());
    core.spawn(async move {
        if let Err(fault) = opening.platform.open_prompt(&opening_id).await {
            tracing::error!(%fault, "a prompt window did not open");
            let error = error(
                ErrorCode::Internal,
                "The window that asks the user did not open.",
            );
            end(&opening, &opening_id, Err(error), false);
        }
    });
    let watching = core.clone();
    core.spawn(async move {
        watching.platform.sleep(PROMPT_LOAD).await;
        let shown = watching
            .prompts
            .with_open(&id, |open| open.shown)
            .unwrap_or(true);
        if !shown {
            end(&watching, &id, Ok(Answered::Closed), false);
        }
    });
}

/// Ends a question with the same verdict for all who wait for it, and goes on to the next.
fn end(core: &Rc<Core>, id: &str, verdict: Verdict, refusal: bool) {
    let Some(site) = core.prompts.by_id.borrow().get(id).cloned() else {
        return;
    };
    let open = {
        let mut asking = site.asking.borrow_mut();
        if refusal {
            asking.refused(core.platform.uptime());
        }
        asking.open.take()
    };
    take_away(core, id);
    if let Some(open) = open {
        Verdicts::all(open.waiters, &verdict).deliver();
    }
    ask_next(core, &site);
}

impl Prompts {
    /// Looks at an open question.
    fn with_open<T>(&self, id: &str, look: impl FnOnce(&mut Open) -> T) -> Option<T> {
        let site = self.by_id.borrow().get(id).cloned()?;
        let mut asking = site.asking.borrow_mut();
        asking.open.as_mut().filter(|open| open.id == id).map(look)
    }
}

/// A prompt window's port.
pub(crate) struct PromptPort {
    outlet: Rc<dyn Outlet>,
    showing: RefCell<Option<String>>,
}

impl PromptPort {
    pub(crate) fn open(_core: &Rc<Core>, outlet: Rc<dyn Outlet>) -> Rc<Self> {
        Rc::new(PromptPort {
            outlet,
            showing: RefCell::new(None),
        })
    }

    pub(crate) fn receive(&self, core: &Rc<Core>, message: Value) {
        match from_value::<FromPrompt>(message) {
            Ok(FromPrompt::Get { id }) => self.get(core, id),
            Ok(FromPrompt::Answer {
                id,
                granted,
                denied,
                duration,
            }) => {
                if self.showing.borrow().as_deref() == Some(id.as_str()) {
                    self.showing.take();
                    decide(core, &id, &granted, &denied, duration);
                }
            }
            Err(fault) => tracing::warn!(%fault, "an unknown message from a prompt window"),
        }
    }

    fn get(&self, core: &Rc<Core>, id: String) {
        let busy = self.showing.borrow().is_some();
        let question = core
            .prompts
            .by_id
            .borrow()
            .get(&id)
            .cloned()
            .and_then(|site| {
                core.prompts.with_open(&id, |open| {
                    // One window shows a question, and it is the one that answers.
                    let first = !busy && !std::mem::replace(&mut open.shown, true);
                    first.then(|| (site.origin.to_string(), open.asked.clone()))
                })?
            });
        let message = match question {
            Some((origin, permissions)) => {
                *self.showing.borrow_mut() = Some(id.clone());
                ToPrompt::Request {
                    id,
                    origin,
                    permissions,
                }
            }
            None => ToPrompt::Gone { id },
        };
        if let Ok(message) = to_value(&message) {
            self.outlet.post(message);
        }
    }

    pub(crate) fn closed(&self, core: &Rc<Core>) {
        if let Some(id) = self.showing.take() {
            end(core, &id, Ok(Answered::Closed), true);
        }
    }
}

/// The user decided.
fn decide(
    core: &Rc<Core>,
    id: &str,
    granted: &[Descriptor],
    denied: &[Descriptor],
    choice: Choice,
) {
    let Some(site) = core.prompts.by_id.borrow().get(id).cloned() else {
        return;
    };
    let Some((asked, documents)) = core.prompts.with_open(id, |open| {
        let documents: Vec<Document> = open
            .waiters
            .iter()
            .map(|waiter| waiter.document.clone())
            .collect();
        (open.asked.clone(), documents)
    }) else {
        return;
    };
    let decision = Decision {
        asked: &asked,
        granted,
        denied,
        choice,
        documents: &documents,
    };
    let now = core.platform.now_ms();
    let decided = core
        .grants
        .borrow_mut()
        .decide(&site.origin, &decision, now);
    match decided {
        Err(crate::grants::Full) => {
            let error = exceeded("heldPermissions", Duration::from_secs(60));
            end(core, id, Err(error), false);
        }
        Ok(any) => {
            // Whoever asks from now on asks anew: the question stays open only until its answer is stored.
            core.prompts.with_open(id, |open| open.asked.clear());
            core.note_grants();
            let (core, id) = (core.clone(), id.to_owned());
            core.clone().spawn(async move {
                // A host that ended right after the answer would take with it what the page was told.
                // What is decided holds until this host ends in any case; then the user is asked again.
                let answered = match core.save_grants().await {
                    Ok(()) => Ok(Answered::Decided),
                    Err(fault) => {
                        tracing::error!(%fault, "the grants could not be stored");
                        // A refusal is one, stored or not; and of a store that could not be read sites know already.
                        if any && fault != Error::GrantsUnread {
                            Err(error(
                                ErrorCode::Internal,
                                "What the user allowed could not be stored and holds only for now.",
                            )
                            .with_detail(fault.to_string()))
                        } else {
                            Ok(Answered::Decided)
                        }
                    }
                };
                if any {
                    events::permissions_changed(&core, &site.origin);
                }
                end(&core, &id, answered, !any);
            });
        }
    }
}
