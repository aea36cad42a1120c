//! A record that a crash in mid-write cannot lose: two slots, each with a generation and a checksum. A write goes to
//! the older slot and is read back before it counts; whatever happens to it, the other slot still holds what was.
//!
//! Each slot is one text, the one kind of value that every storage keeps as it is:
//! `mooring1.<generation>.<SHA-256 of the rest, in hex>.<payload>`.

use futures::{FutureExt, select};
use sha2::{Digest, Sha256};

use crate::{
    Area, Error, Platform, Value,
    limits::{MAX_ASIDE, MAX_RECORD_BYTES, STORAGE_TIMEOUT},
};

const FORMAT: &str = "mooring1";

/// What a slot holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Slot {
    /// Nothing was ever written.
    Absent,
    /// Something that is no record of ours.
    Damaged,
    /// A record.
    Valid {
        /// Higher is newer.
        generation: u64,
        /// What was written.
        payload: String,
    },
}

/// What both slots together hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Neither slot was ever written.
    Nothing,
    /// The newest record.
    Record(String),
    /// There is something, and none of it is a record.
    Damaged,
}

/// A named record in one area.
pub(crate) struct Slots {
    area: Area,
    name: &'static str,
}

impl Slots {
    pub(crate) const fn new(area: Area, name: &'static str) -> Self {
        Slots { area, name }
    }

    fn keys(&self) -> [String; 2] {
        ["a", "b"].map(|slot| format!("{}.{slot}", self.name))
    }

    /// Reads both slots. An error says that storage could not be read, which says nothing about what it holds.
    pub(crate) async fn read_slots(&self, platform: &dyn Platform) -> Result<[Slot; 2], Error> {
        let [a, b] = self.keys();
        Ok([
            decode(get(platform, self.area, &a).await?),
            decode(get(platform, self.area, &b).await?),
        ])
    }

    /// Reads the newest record.
    pub(crate) async fn read(&self, platform: &dyn Platform) -> Result<Found, Error> {
        let slots = self.read_slots(platform).await?;
        Ok(match newest(&slots) {
            Some((_, payload)) => Found::Record(payload.to_owned()),
            None if slots.iter().all(|slot| *slot == Slot::Absent) => Found::Nothing,
            None => Found::Damaged,
        })
    }

    /// Writes a record to the older slot and reads it back. After an error the newer slot is as it was.
    pub(crate) async fn write(&self, platform: &dyn Platform, payload: &str) -> Result<(), Error> {
        let slots = self.read_slots(platform).await?;
        let generation = newest(&slots).map_or(0, |(generation, _)| generation);
        let older = match &slots {
            [
                Slot::Valid { generation: a, .. },
                Slot::Valid { generation: b, .. },
            ] if a > b => 1,
            [Slot::Valid { .. }, Slot::Absent | Slot::Damaged] => 1,
            _ => 0,
        };
        let [a, b] = self.keys();
        let key = if older == 0 { a } else { b };
        let record = encode(generation.saturating_add(1), payload);
        if record.len() > MAX_RECORD_BYTES {
            // It could not be read back.
            return Err(Error::RecordTooLarge);
        }
        set(platform, self.area, &key, &record).await?;
        match get(platform, self.area, &key).await? {
            Some(Value::Text(back)) if back == record => Ok(()),
            _ => Err(Error::ReadBack),
        }
    }

    /// Copies what is in the slots to other keys, for whoever can make sense of it, and empties the slots. Only the
    /// last [`MAX_ASIDE`] copies are kept.
    pub(crate) async fn put_aside(&self, platform: &dyn Platform) -> Result<(), Error> {
        let counter_key = format!("{}.aside", self.name);
        let count: u64 = match get(platform, self.area, &counter_key).await? {
            Some(Value::Text(text)) => text.parse().unwrap_or(0),
            _ => 0,
        };
        let place = count.checked_rem(MAX_ASIDE).unwrap_or(0);
        for key in self.keys() {
            if let Some(value) = get(platform, self.area, &key).await? {
                // Whatever it is: as the text it is, or in a form that shows what it was.
                let text = match value {
                    Value::Text(text) => text,
                    other => format!("{other:?}"),
                };
                let text: String = text.chars().take(MAX_RECORD_BYTES).collect();
                set(platform, self.area, &format!("{key}.aside.{place}"), &text).await?;
            }
        }
        let next = count.wrapping_add(1).to_string();
        set(platform, self.area, &counter_key, &next).await?;
        for key in self.keys() {
            remove(platform, self.area, &key).await?;
        }
        Ok(())
    }
}

/// The newest valid slot's generation and payload.
pub(crate) fn newest(slots: &[Slot; 2]) -> Option<(u64, &str)> {
    slots
        .iter()
        .filter_map(|slot| match slot {
            Slot::Valid {
                generation,
                payload,
            } => Some((*generation, payload.as_str())),
            _ => None,
        })
        .max_by_key(|(generation, _)| *generation)
}

fn checksum(generation: u64, payload: &str) -> String {
    hex::encode(Sha256::digest(format!("{FORMAT}.{generation}.{payload}")))
}

fn encode(generation: u64, payload: &str) -> String {
    format!(
        "{FORMAT}.{generation}.{}.{payload}",
        checksum(generation, payload)
    )
}

fn decode(stored: Option<Value>) -> Slot {
    match stored {
        None | Some(Value::Null) => Slot::Absent,
        Some(Value::Text(text)) if text.len() <= MAX_RECORD_BYTES => {
            decode_text(&text).unwrap_or(Slot::Damaged)
        }
        Some(_) => Slot::Damaged,
    }
}

fn decode_text(text: &str) -> Option<Slot> {
    let mut parts = text.splitn(4, '.');
    if parts.next()? != FORMAT {
        return None;
    }
    let generation: u64 = parts.next()?.parse().ok()?;
    let sum = parts.next()?;
    let payload = parts.next()?;
    (sum == checksum(generation, payload)).then(|| Slot::Valid {
        generation,
        payload: payload.to_owned(),
    })
}

/// Reads a key within [`STORAGE_TIMEOUT`].
pub(crate) async fn get(
    platform: &dyn Platform,
    area: Area,
    key: &str,
) -> Result<Option<Value>, Error> {
    select! {
        value = platform.get(area, key).fuse() => Ok(value?.filter(|value| *value != Value::Null)),
        () = platform.sleep(STORAGE_TIMEOUT).fuse() => Err(Error::StorageTimeout),
    }
}

/// Writes a key within [`STORAGE_TIMEOUT`].
pub(crate) async fn set(
    platform: &dyn Platform,
    area: Area,
    key: &str,
    value: &str,
) -> Result<(), Error> {
    select! {
        done = platform.set(area, key, value).fuse() => Ok(done?),
        () = platform.sleep(STORAGE_TIMEOUT).fuse() => Err(Error::StorageTimeout),
    }
}

/// Removes a key within [`STORAGE_TIMEOUT`].
pub(crate) async fn remove(platform: &dyn Platform, area: Area, key: &str) -> Result<(), Error> {
    select! {
        done = platform.remove(area, key).fuse() => Ok(done?),
        () = platform.sleep(STORAGE_TIMEOUT).fuse() => Err(Error::StorageTimeout),
    }
}
