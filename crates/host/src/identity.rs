//! The node's identity: an Ed25519 key, made once and kept for good.
//!
//! A damaged store never becomes a new identity by itself. A mark beside the record tells "never had one" from "had
//! one that is gone": [`MAKING`] before the first write, [`MADE`] before first use.

use libp2p::identity::Keypair;

use crate::{
    Area, Error, Platform, Value,
    slots::{Slot, Slots, get, newest, set},
};

const SLOTS: Slots = Slots::new(Area::Storage, "identity");
const MARK: &str = "identity.mark";
/// No beginning of it is one of [`MADE`]: a torn write is told apart.
const MAKING: &str = "first start under way";
const MADE: &str = "made";

/// What was found or made.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // There is one at a time, for a moment.
pub(crate) enum Identity {
    /// To be used.
    Ready(Keypair),
    /// There was one, or something is in its place; in words, what.
    Damaged(String),
}

/// Reads the identity, or makes the first one.
///
/// # Errors
/// Where storage could not be read or written: whether there is an identity is not known then.
pub(crate) async fn load(platform: &dyn Platform) -> Result<Identity, Error> {
    let slots = SLOTS.read_slots(platform).await?;
    let mark = get(platform, Area::Storage, MARK).await?;
    let mark = match &mark {
        None => None,
        Some(Value::Text(text)) => Some(text.as_str()),
        Some(_) => Some("?"),
    };
    if let Some((_, payload)) = newest(&slots) {
        return match decode(payload) {
            Some(keypair) => {
                if mark != Some(MADE) {
                    set(platform, Area::Storage, MARK, MADE).await?;
                }
                if slots.iter().any(|slot| !matches!(slot, Slot::Valid { .. })) {
                    // Two copies again. The one that is there suffices for now, should this fail.
                    if let Err(error) = SLOTS.write(platform, payload).await {
                        tracing::warn!(%error, "the identity's second copy could not be written");
                    }
                }
                Ok(Identity::Ready(keypair))
            }
            // The checksum holds, so it is what some version of us wrote: not ours to replace.
            None => Ok(Identity::Damaged(
                "The stored identity is of a kind that this version does not know.".into(),
            )),
        };
    }
    let untouched = slots.iter().all(|slot| *slot == Slot::Absent);
    match mark {
        // Never had one.
        None if untouched => make(platform).await.map(Identity::Ready),
        // The first start was interrupted before anybody saw the identity.
        Some(mark) if !mark.is_empty() && MAKING.starts_with(mark) => {
            make(platform).await.map(Identity::Ready)
        }
        _ if untouched => Ok(Identity::Damaged("The stored identity is gone.".into())),
        _ => Ok(Identity::Damaged(
            "Both copies of the stored identity are damaged.".into(),
        )),
    }
}

/// Makes a new identity at the user's word, and keeps what was there aside.
///
/// # Errors
/// Where storage could not be read or written.
pub(crate) async fn renew(platform: &dyn Platform) -> Result<Keypair, Error> {
    SLOTS.put_aside(platform).await?;
    make(platform).await
}

async fn make(platform: &dyn Platform) -> Result<Keypair, Error> {
    let keypair = Keypair::generate_ed25519();
    let payload = encode(&keypair)?;
    set(platform, Area::Storage, MARK, MAKING).await?;
    SLOTS.write(platform, &payload).await?;
    SLOTS.write(platform, &payload).await?;
    set(platform, Area::Storage, MARK, MADE).await?;
    // What is used is what a next start will read.
    match load_newest(platform).await? {
        Some(stored) if stored.public() == keypair.public() => Ok(stored),
        _ => Err(Error::ReadBack),
    }
}

async fn load_newest(platform: &dyn Platform) -> Result<Option<Keypair>, Error> {
    let slots = SLOTS.read_slots(platform).await?;
    Ok(newest(&slots).and_then(|(_, payload)| decode(payload)))
}

fn encode(keypair: &Keypair) -> Result<String, Error> {
    keypair
        .to_protobuf_encoding()
        .map(hex::encode)
        .map_err(|error| Error::Identity(error.to_string()))
}

fn decode(payload: &str) -> Option<Keypair> {
    Keypair::from_protobuf_encoding(&hex::decode(payload).ok()?).ok()
}

#[cfg(test)]
mod tests;
