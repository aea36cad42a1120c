//! What each origin holds and was denied, and for how long.
//!
//! Pure but for [`store`]: time and documents come in as arguments. Every entry is one [`Descriptor::atoms`] unit,
//! so that trimming, taking back and expiring never have to split anything.

pub(crate) mod store;

use std::{collections::BTreeMap, rc::Rc};

use mooring_api::{
    Descriptor,
    descriptor::{Revocation, merge, missing, subtract, trim},
    popup::SiteGrant,
    prompt::Duration as Choice,
};
use serde::{Deserialize, Serialize};

use crate::{
    error::millis,
    limits::{CLOCK_SKEW, HOUR, MAX_DOCUMENT_ID, MAX_GRANT_ORIGINS, MAX_VALUES_PER_ORIGIN},
};

/// A document, as the one that holds what was given `once`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) struct Document(Rc<str>);

impl Document {
    /// A document of its session, and of the browser's id for it where there is one: by that it is known again after
    /// the host was started anew.
    pub(crate) fn new(session: u64, id: Option<&str>) -> Self {
        match id {
            Some(id) if Document::is_id(id) => Document(id.into()),
            _ => Document(format!("#{session}").into()),
        }
    }

    /// No document: holds what lasts, and nothing that was given `once`.
    pub(crate) fn none() -> Self {
        Document("".into())
    }

    fn is_id(id: &str) -> bool {
        !id.is_empty()
            && id.len() <= MAX_DOCUMENT_ID
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    }

    /// Whether it is known by the browser's id.
    fn returns(&self) -> bool {
        Document::is_id(&self.0)
    }
}

impl From<String> for Document {
    fn from(id: String) -> Self {
        Document(id.into())
    }
}

impl From<Document> for String {
    fn from(document: Document) -> Self {
        document.0.as_ref().to_owned()
    }
}

/// How long an entry holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "term", rename_all = "camelCase")]
pub(crate) enum Term {
    /// While a document is there. Stored where it would be known again.
    Once {
        /// Which.
        document: Document,
    },
    /// Between two moments, in milliseconds since 1970. The first one is kept so that a clock that is set back
    /// ends a grant instead of prolonging it.
    Hour {
        /// When it was given.
        from: u64,
        /// When it ends.
        until: u64,
    },
    /// Until the browser ends.
    Session,
    /// Until it is taken back.
    Always,
}

impl Term {
    fn new(choice: Choice, document: &Document, now: u64) -> Term {
        match choice {
            Choice::Once => Term::Once {
                document: document.clone(),
            },
            Choice::Hour => Term::Hour {
                from: now,
                until: now.saturating_add(millis(HOUR)),
            },
            Choice::Session => Term::Session,
            Choice::Always => Term::Always,
        }
    }

    fn holds(&self, document: &Document, now: u64) -> bool {
        match self {
            Term::Once { document: only } => only == document,
            _ => !self.over(now),
        }
    }

    fn over(&self, now: u64) -> bool {
        match self {
            Term::Hour { from, until } => {
                now >= *until || now.saturating_add(millis(CLOCK_SKEW)) < *from
            }
            _ => false,
        }
    }

    /// Whether a host that is started anew reads it from the area that ends with the browser.
    fn ends_with_browser(&self) -> bool {
        match self {
            Term::Once { document } => document.returns(),
            Term::Session => true,
            Term::Hour { .. } | Term::Always => false,
        }
    }

    /// Entries of one group are shown as one: the longest first, and each hour for itself.
    fn group(&self) -> (u8, Option<u64>) {
        match self {
            Term::Always => (0, None),
            Term::Session => (1, None),
            Term::Hour { until, .. } => (2, Some(*until)),
            Term::Once { .. } => (3, None),
        }
    }

    fn choice(&self) -> Choice {
        match self {
            Term::Once { .. } => Choice::Once,
            Term::Hour { .. } => Choice::Hour,
            Term::Session => Choice::Session,
            Term::Always => Choice::Always,
        }
    }
}

/// One decision of the user about one unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) descriptor: Descriptor,
    /// A denial rather than a grant.
    pub(crate) denied: bool,
    #[serde(flatten)]
    pub(crate) term: Term,
}

/// An origin (or the store) holds as much as it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// What a user decided in one prompt.
#[derive(Debug, Clone)]
pub(crate) struct Decision<'a> {
    /// What was asked.
    pub(crate) asked: &'a [Descriptor],
    /// What is allowed; what was not asked is left out.
    pub(crate) granted: &'a [Descriptor],
    /// What is denied; likewise.
    pub(crate) denied: &'a [Descriptor],
    /// For how long.
    pub(crate) choice: Choice,
    /// The documents that asked; `once` holds for each.
    pub(crate) documents: &'a [Document],
}

/// All grants and denials.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    origins: BTreeMap<String, Vec<Entry>>,
    version: u64,
}

/// Whether a denial of one unit denies another: what the denied one covers, and of a switch also what goes further.
fn denies(denied: &Descriptor, wanted: &Descriptor) -> bool {
    match (denied, wanted) {
        (
            Descriptor::Dial {
                private_network: denied,
            },
            Descriptor::Dial {
                private_network: wanted,
            },
        )
        | (Descriptor::Routing { write: denied }, Descriptor::Routing { write: wanted }) => {
            !*denied || *wanted
        }
        (denied, wanted) => denied.covers(wanted),
    }
}

impl Grants {
    /// Counts changes: what was computed at another version may be stale.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    fn changed(&mut self) {
        self.version = self.version.wrapping_add(1);
        self.origins.retain(|_, entries| !entries.is_empty());
    }

    fn entries(&self, origin: &str) -> &[Entry] {
        self.origins.get(origin).map_or(&[], Vec::as_slice)
    }

    /// What a document of an origin holds, merged.
    pub(crate) fn held(&self, origin: &str, document: &Document, now: u64) -> Vec<Descriptor> {
        let atoms: Vec<Descriptor> = self
            .entries(origin)
            .iter()
            .filter(|entry| !entry.denied && entry.term.holds(document, now))
            .map(|entry| entry.descriptor.clone())
            .collect();
        merge(&atoms)
    }

    /// Parts what a document wants into what is still to be asked, and whether something of it was denied before.
    /// Both empty means that it holds everything.
    pub(crate) fn open_questions(
        &self,
        origin: &str,
        document: &Document,
        now: u64,
        wanted: &[Descriptor],
    ) -> (Vec<Descriptor>, bool) {
        let lacking: Vec<Descriptor> = missing(&self.held(origin, document, now), wanted)
            .iter()
            .flat_map(Descriptor::atoms)
            .collect();
        let held = self.held(origin, document, now);
        let (denied, open): (Vec<_>, Vec<_>) = lacking
            .into_iter()
            // `atoms` of a switch names the plain permission too, which may be held.
            .filter(|atom| !held.iter().any(|held| held.covers(atom)))
            .partition(|atom| {
                self.entries(origin).iter().any(|entry| {
                    entry.denied
                        && entry.term.holds(document, now)
                        && denies(&entry.descriptor, atom)
                })
            });
        (merge(&open), !denied.is_empty())
    }

    /// Notes a decision. Returns whether anything of what was asked is granted.
    ///
    /// # Errors
    /// Nothing is noted when the origin would hold more than it may.
    pub(crate) fn decide(
        &mut self,
        origin: &str,
        decision: &Decision<'_>,
        now: u64,
    ) -> Result<bool, Full> {
        let held: Vec<Descriptor> = decision
            .documents
            .iter()
            .flat_map(|document| self.held(origin, document, now))
            .collect();
        let granted = trim(decision.asked, decision.granted);
        let granted: Vec<Descriptor> = granted.iter().flat_map(Descriptor::atoms).collect();
        let denied: Vec<Descriptor> = trim(decision.asked, decision.denied)
            .iter()
            .flat_map(Descriptor::atoms)
            // `asked` for a private network names plain dialing too, which may be held: that was not the question.
            .filter(|atom| {
                !granted
                    .iter()
                    .chain(&held)
                    .any(|granted| granted.covers(atom))
            })
            .collect();
        if !self.origins.contains_key(origin) && self.origins.len() >= MAX_GRANT_ORIGINS {
            return Err(Full);
        }
        let terms: Vec<Term> = match decision.choice {
            Choice::Once => decision
                .documents
                .iter()
                .map(|document| Term::new(Choice::Once, document, now))
                .collect(),
            other => vec![Term::new(other, &Document::none(), now)],
        };
        let mut entries = self.entries(origin).to_vec();
        entries.retain(|entry| !entry.term.over(now));
        // A new word replaces the old one on the same thing.
        entries.retain(|entry| {
            !(entry.denied
                && granted
                    .iter()
                    .any(|granted| granted.covers(&entry.descriptor)))
        });
        for (atoms, is_denied) in [(&granted, false), (&denied, true)] {
            for atom in atoms {
                for term in &terms {
                    let entry = Entry {
                        descriptor: atom.clone(),
                        denied: is_denied,
                        term: term.clone(),
                    };
                    entries.retain(|old| {
                        !(old.denied == is_denied
                            && old.descriptor == *atom
                            && old.term.choice() == term.choice()
                            && (old.term == *term || !matches!(term, Term::Once { .. })))
                    });
                    entries.push(entry);
                }
            }
        }
        if entries.len() > MAX_VALUES_PER_ORIGIN {
            return Err(Full);
        }
        let before = self.origins.insert(origin.to_owned(), entries);
        if !store::Records::of(self).is_ok_and(|records| records.fit()) {
            match before {
                Some(before) => self.origins.insert(origin.to_owned(), before),
                None => self.origins.remove(origin),
            };
            return Err(Full);
        }
        self.changed();
        Ok(!granted.is_empty())
    }

    /// Takes grants back; without a list all of them. Denials stay.
    pub(crate) fn revoke(&mut self, origin: &str, taken: Option<&[Revocation]>) {
        if let Some(entries) = self.origins.get_mut(origin) {
            let before = std::mem::take(entries);
            *entries = before
                .into_iter()
                .filter_map(|entry| {
                    if entry.denied {
                        return Some(entry);
                    }
                    let left = subtract(std::slice::from_ref(&entry.descriptor), taken?);
                    // A unit is taken or not. Of `dial` with `privateNetwork`, what is left is plain `dial`.
                    let descriptor = left.into_iter().next()?;
                    Some(Entry {
                        descriptor,
                        ..entry
                    })
                })
                .collect();
        }
        self.changed();
    }

    /// Forgets all about an origin, denials too.
    pub(crate) fn forget(&mut self, origin: &str) {
        self.origins.remove(origin);
        self.changed();
    }

    /// Ends what holds for documents that are not there any more; whether there was such.
    pub(crate) fn retain_documents(&mut self, is_there: impl Fn(&Document) -> bool) -> bool {
        let mut gone = false;
        for entry in self.origins.values_mut() {
            let before = entry.len();
            entry.retain(|entry| match &entry.term {
                Term::Once { document } => is_there(document),
                _ => true,
            });
            gone |= entry.len() != before;
        }
        if gone {
            self.changed();
        }
        gone
    }

    /// Drops what is over. Returns the origins that it was about.
    pub(crate) fn expire(&mut self, now: u64) -> Vec<String> {
        let mut touched = Vec::new();
        for (origin, entries) in &mut self.origins {
            let before = entries.len();
            entries.retain(|entry| !entry.term.over(now));
            if entries.len() != before {
                touched.push(origin.clone());
            }
        }
        if !touched.is_empty() {
            self.changed();
        }
        touched
    }

    /// When something ends by itself next, in milliseconds since 1970.
    pub(crate) fn next_end(&self) -> Option<u64> {
        self.origins
            .values()
            .flatten()
            .filter_map(|entry| match &entry.term {
                Term::Hour { until, .. } => Some(*until),
                _ => None,
            })
            .min()
    }

    /// Every origin with its entries that still hold: what it was granted and for how long, and what it was denied.
    pub(crate) fn sites(&self, now: u64) -> Vec<(String, Vec<SiteGrant>, Vec<Descriptor>)> {
        self.origins
            .iter()
            .map(|(origin, entries)| {
                let mut granted: BTreeMap<_, (Choice, Vec<Descriptor>)> = BTreeMap::new();
                let mut denied = Vec::new();
                for entry in entries.iter().filter(|entry| !entry.term.over(now)) {
                    if entry.denied {
                        denied.push(entry.descriptor.clone());
                    } else {
                        granted
                            .entry(entry.term.group())
                            .or_insert_with(|| (entry.term.choice(), Vec::new()))
                            .1
                            .push(entry.descriptor.clone());
                    }
                }
                let granted = granted
                    .into_iter()
                    .flat_map(|((_, expires_at), (duration, list))| {
                        merge(&list).into_iter().map(move |descriptor| SiteGrant {
                            descriptor,
                            duration,
                            expires_at,
                        })
                    })
                    .collect();
                (origin.clone(), granted, merge(&denied))
            })
            .collect()
    }

    /// The entries for one of the two stores.
    fn select(&self, keep: impl Fn(&Term) -> bool) -> BTreeMap<&str, Vec<&Entry>> {
        self.origins
            .iter()
            .map(|(origin, entries)| {
                let kept: Vec<&Entry> = entries.iter().filter(|entry| keep(&entry.term)).collect();
                (origin.as_str(), kept)
            })
            .filter(|(_, kept)| !kept.is_empty())
            .collect()
    }

    /// Adds what a store held.
    fn add(&mut self, origins: BTreeMap<String, Vec<Entry>>) {
        for (origin, entries) in origins {
            self.origins.entry(origin).or_default().extend(entries);
        }
        self.changed();
    }
}

#[cfg(test)]
mod tests;
