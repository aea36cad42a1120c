//! The grants on disk: `always` and `hour` in storage, `session` and `once` in the area that ends with the browser, each a
//! checksummed record in two slots. What cannot be read grants nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Entry, Grants, Term};
use crate::{
    Area, Error, Platform, ValueError,
    limits::{MAX_GRANT_ORIGINS, MAX_GRANTS_BYTES, MAX_VALUES_PER_ORIGIN},
    slots::{Found, Slots},
};

const LASTING: Slots = Slots::new(Area::Storage, "grants");
const PASSING: Slots = Slots::new(Area::Session, "grants");

/// The shape of the record, to be counted up when it changes.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct RecordOut<'a> {
    version: u32,
    origins: BTreeMap<&'a str, Vec<&'a Entry>>,
}

#[derive(Deserialize)]
struct RecordIn {
    version: u32,
    origins: BTreeMap<String, Vec<Entry>>,
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// All that could be read.
    pub(crate) grants: Grants,
    /// What could not, in words for the user.
    pub(crate) trouble: Option<&'static str>,
    /// A store did not answer: what it holds is not known, and must not be written over.
    pub(crate) unread: bool,
}

/// Reads both stores. Never fails: what cannot be read grants nothing, and a damaged record is kept aside.
pub(crate) async fn load(platform: &dyn Platform) -> Loaded {
    let mut loaded = Loaded::default();
    for slots in [&LASTING, &PASSING] {
        match slots.read(platform).await {
            Ok(Found::Nothing) => {}
            Ok(Found::Record(record)) => match parse(&record) {
                Some(origins) => loaded.grants.add(origins),
                None => damaged(&mut loaded, slots, platform).await,
            },
            Ok(Found::Damaged) => damaged(&mut loaded, slots, platform).await,
            Err(error) => {
                tracing::error!(%error, "the store of permissions cannot be read");
                loaded.unread = true;
                loaded.trouble =
                    Some("The sites' permissions cannot be read; sites have to ask again.");
            }
        }
    }
    loaded
}

async fn damaged(loaded: &mut Loaded, slots: &Slots, platform: &dyn Platform) {
    loaded.trouble = Some("The stored permissions of sites were damaged; sites have to ask again.");
    if let Err(error) = slots.put_aside(platform).await {
        tracing::error!(%error, "the damaged store of permissions could not be kept aside");
    }
}

/// Writes both stores.
///
/// # Errors
/// The first that could not be written; what was there before is what the next start reads then.
pub(crate) async fn save(platform: &dyn Platform, records: &Records) -> Result<(), Error> {
    LASTING.write(platform, &records.lasting).await?;
    PASSING.write(platform, &records.passing).await
}

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Records {
    lasting: String,
    passing: String,
}

impl Records {
    /// The records of what is held now.
    ///
    /// # Errors
    /// Never, short of a fault in serialisation.
    pub(crate) fn of(grants: &Grants) -> Result<Records, Error> {
        Ok(Records {
            lasting: render(
                grants.select(|term| matches!(term, Term::Always | Term::Hour { .. })),
            )?,
            passing: render(grants.select(Term::ends_with_browser))?,
        })
    }

    /// Whether they can be stored, and read again.
    pub(crate) fn fit(&self) -> bool {
        self.lasting.len() <= MAX_GRANTS_BYTES && self.passing.len() <= MAX_GRANTS_BYTES
    }
}

fn render(origins: BTreeMap<&str, Vec<&Entry>>) -> Result<String, Error> {
    serde_json::to_string(&RecordOut {
        version: VERSION,
        origins,
    })
    .map_err(|error| Error::Value(<ValueError as serde::ser::Error>::custom(error)))
}

/// All or nothing: half a record could widen what a denial narrowed.
fn parse(record: &str) -> Option<BTreeMap<String, Vec<Entry>>> {
    let record: RecordIn = serde_json::from_str(record).ok()?;
    let sound = record.version == VERSION
        && record.origins.len() <= MAX_GRANT_ORIGINS
        && record.origins.values().all(|entries| {
            entries.len() <= MAX_VALUES_PER_ORIGIN
                && entries
                    .iter()
                    .all(|entry| entry.descriptor.validate().is_ok())
        });
    sound.then_some(record.origins)
}
