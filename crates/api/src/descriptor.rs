//! Permission descriptors, in the manner of the W3C Permissions API: a name and caveats that narrow it.
//!
//! All the algebra that grants need is here and pure: is a descriptor well formed, does a set of them cover a
//! request, what is missing, and what is left after some are taken back.

use serde::{Deserialize, Serialize};

use crate::limits::{MAX_DESCRIPTORS, MAX_NAME_BYTES, MAX_NAMES, MIN_PREFIX_CHARS};
use crate::object::objects_only;

/// What a permission is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum GrantName {
    /// See the node's peer id and addresses.
    Identity,
    /// See peers and connections.
    Peers,
    /// Connect to peers.
    Dial,
    /// Open and accept streams.
    Streams,
    /// Publish and receive.
    Pubsub,
    /// Look up, and with `write` announce, in the DHT and at rendezvous points.
    Routing,
    /// Let handlers and subscriptions outlive the last tab.
    Background,
}

impl GrantName {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            GrantName::Identity => "identity",
            GrantName::Peers => "peers",
            GrantName::Dial => "dial",
            GrantName::Streams => "streams",
            GrantName::Pubsub => "pubsub",
            GrantName::Routing => "routing",
            GrantName::Background => "background",
        }
    }
}

/// A permission that is asked for or held. An unknown name or caveat does not deserialise.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(
    remote = "Self",
    tag = "name",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum Descriptor {
    /// See the node's peer id and addresses.
    Identity {},
    /// See peers and connections.
    Peers {},
    /// Connect to peers.
    Dial {
        /// Also at addresses that are not globally reachable.
        #[serde(default, skip_serializing_if = "is_false")]
        #[cfg_attr(test, ts(as = "Option<bool>", optional))]
        private_network: bool,
    },
    /// Open and accept streams.
    Streams {
        /// Protocol ids; a trailing `*` makes a prefix.
        protocols: Vec<String>,
    },
    /// Publish and receive.
    Pubsub {
        /// Topics; a trailing `*` makes a prefix.
        topics: Vec<String>,
    },
    /// Look up in the DHT and at rendezvous points.
    Routing {
        /// Also announce and store.
        #[serde(default, skip_serializing_if = "is_false")]
        #[cfg_attr(test, ts(as = "Option<bool>", optional))]
        write: bool,
    },
    /// Let handlers and subscriptions outlive the last tab.
    Background {},
}

objects_only!(Descriptor, Revocation);

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
fn is_false(value: &bool) -> bool {
    !*value
}

/// What is wrong with a descriptor that deserialised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DescriptorError {
    /// `protocols` or `topics` is empty.
    #[error("`{0}` names nothing: list at least one value")]
    Empty(&'static str),
    /// Too many values in one descriptor.
    #[error("`{0}` has more than {MAX_NAMES} values")]
    TooMany(&'static str),
    /// A value is empty, too long, or holds control characters.
    #[error(
        "`{0}` has a value that is empty, longer than {MAX_NAME_BYTES} bytes, or holds control characters"
    )]
    BadValue(&'static str),
    /// A protocol id does not begin with a slash.
    #[error("a protocol id begins with `/`")]
    NotAProtocol,
    /// A `*` elsewhere than at the end, or after too short a prefix.
    #[error(
        "`*` is allowed at the end only, after a prefix of at least {MIN_PREFIX_CHARS} characters"
    )]
    BadPrefix,
    /// More descriptors than one call may name.
    #[error("more than {MAX_DESCRIPTORS} descriptors in one call")]
    TooManyDescriptors,
}

/// Whether `pattern`, an exact value or a prefix with a trailing `*`, matches `value` in full.
fn matches(pattern: &str, value: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => value.starts_with(prefix),
        None => pattern == value,
    }
}

/// Whether every value that `inner` matches is matched by `outer`.
fn pattern_covers(outer: &str, inner: &str) -> bool {
    match (outer.strip_suffix('*'), inner.strip_suffix('*')) {
        (Some(outer), Some(inner)) => inner.starts_with(outer),
        (Some(outer), None) => inner.starts_with(outer),
        (None, Some(_)) => false,
        (None, None) => outer == inner,
    }
}

fn check_values(
    field: &'static str,
    values: &[String],
    protocol: bool,
) -> Result<(), DescriptorError> {
    if values.is_empty() {
        return Err(DescriptorError::Empty(field));
    }
    if values.len() > MAX_NAMES {
        return Err(DescriptorError::TooMany(field));
    }
    for value in values {
        if value.is_empty() || value.len() > MAX_NAME_BYTES || value.chars().any(char::is_control) {
            return Err(DescriptorError::BadValue(field));
        }
        let literal = value.strip_suffix('*');
        if literal.is_some_and(|prefix| prefix.chars().count() < MIN_PREFIX_CHARS)
            || literal.unwrap_or(value).contains('*')
        {
            return Err(DescriptorError::BadPrefix);
        }
        if protocol && !value.starts_with('/') {
            return Err(DescriptorError::NotAProtocol);
        }
    }
    Ok(())
}

impl Descriptor {
    /// What it is for.
    pub const fn name(&self) -> GrantName {
        match self {
            Descriptor::Identity {} => GrantName::Identity,
            Descriptor::Peers {} => GrantName::Peers,
            Descriptor::Dial { .. } => GrantName::Dial,
            Descriptor::Streams { .. } => GrantName::Streams,
            Descriptor::Pubsub { .. } => GrantName::Pubsub,
            Descriptor::Routing { .. } => GrantName::Routing,
            Descriptor::Background {} => GrantName::Background,
        }
    }

    /// Checks the caveats' values.
    ///
    /// # Errors
    /// The first rule that a value breaks.
    pub fn validate(&self) -> Result<(), DescriptorError> {
        match self {
            Descriptor::Streams { protocols } => check_values("protocols", protocols, true),
            Descriptor::Pubsub { topics } => check_values("topics", topics, false),
            _ => Ok(()),
        }
    }

    /// Splits into descriptors with one caveat value each, the unit in which things are asked, trimmed and
    /// taken back. `dial` with `privateNetwork` is two: dialing at all, and dialing what is not global.
    pub fn atoms(&self) -> Vec<Descriptor> {
        match self {
            Descriptor::Dial {
                private_network: true,
            } => vec![
                Descriptor::Dial {
                    private_network: false,
                },
                Descriptor::Dial {
                    private_network: true,
                },
            ],
            Descriptor::Routing { write: true } => {
                vec![
                    Descriptor::Routing { write: false },
                    Descriptor::Routing { write: true },
                ]
            }
            Descriptor::Streams { protocols } => protocols
                .iter()
                .map(|protocol| Descriptor::Streams {
                    protocols: vec![protocol.clone()],
                })
                .collect(),
            Descriptor::Pubsub { topics } => topics
                .iter()
                .map(|topic| Descriptor::Pubsub {
                    topics: vec![topic.clone()],
                })
                .collect(),
            other => vec![other.clone()],
        }
    }

    /// Whether whoever holds `self` needs nothing more for all that `wanted` asks.
    pub fn covers(&self, wanted: &Descriptor) -> bool {
        match (self, wanted) {
            (
                Descriptor::Dial {
                    private_network: held,
                },
                Descriptor::Dial {
                    private_network: wanted,
                },
            ) => *held || !*wanted,
            (Descriptor::Routing { write: held }, Descriptor::Routing { write: wanted }) => {
                *held || !*wanted
            }
            (
                Descriptor::Streams { protocols: held },
                Descriptor::Streams { protocols: wanted },
            )
            | (Descriptor::Pubsub { topics: held }, Descriptor::Pubsub { topics: wanted }) => {
                wanted
                    .iter()
                    .all(|wanted| held.iter().any(|held| pattern_covers(held, wanted)))
            }
            (held, wanted) => held == wanted,
        }
    }
}

/// Whether a set of held descriptors covers a wanted one, each caveat value by whichever holds it.
pub fn covers(held: &[Descriptor], wanted: &Descriptor) -> bool {
    wanted
        .atoms()
        .iter()
        .all(|atom| held.iter().any(|held| held.covers(atom)))
}

/// What of `wanted` is not covered by `held`, merged.
pub fn missing(held: &[Descriptor], wanted: &[Descriptor]) -> Vec<Descriptor> {
    let atoms: Vec<Descriptor> = wanted
        .iter()
        .flat_map(Descriptor::atoms)
        .filter(|atom| !held.iter().any(|held| held.covers(atom)))
        .collect();
    merge(&atoms)
}

/// What of `asked` a user's choice `chosen` allows: the atoms of `chosen` that `asked` covers. A prompt can only
/// narrow what was asked.
pub fn trim(asked: &[Descriptor], chosen: &[Descriptor]) -> Vec<Descriptor> {
    let atoms: Vec<Descriptor> = chosen
        .iter()
        .flat_map(Descriptor::atoms)
        .filter(|atom| asked.iter().any(|asked| asked.covers(atom)))
        .collect();
    merge(&atoms)
}

/// The same permissions with one descriptor a name, without values that others cover, in a fixed order.
pub fn merge(descriptors: &[Descriptor]) -> Vec<Descriptor> {
    let mut merged: Vec<Descriptor> = Vec::new();
    let atoms: Vec<Descriptor> = descriptors.iter().flat_map(Descriptor::atoms).collect();
    for atom in &atoms {
        match merged.iter_mut().find(|other| other.name() == atom.name()) {
            None => merged.push(atom.clone()),
            Some(Descriptor::Dial {
                private_network: to,
            }) => {
                *to |= matches!(
                    atom,
                    Descriptor::Dial {
                        private_network: true
                    }
                );
            }
            Some(Descriptor::Routing { write: to }) => {
                *to |= matches!(atom, Descriptor::Routing { write: true })
            }
            Some(Descriptor::Streams { protocols: to }) => {
                if let Descriptor::Streams { protocols } = atom {
                    add_patterns(to, protocols);
                }
            }
            Some(Descriptor::Pubsub { topics: to }) => {
                if let Descriptor::Pubsub { topics } = atom {
                    add_patterns(to, topics);
                }
            }
            Some(_) => {}
        }
    }
    merged.sort_by_key(Descriptor::name);
    merged
}

fn add_patterns(to: &mut Vec<String>, more: &[String]) {
    for pattern in more {
        if !to.iter().any(|held| pattern_covers(held, pattern)) {
            to.retain(|held| !pattern_covers(pattern, held));
            to.push(pattern.clone());
        }
    }
}

/// What is left of `held` after `taken` is given back: a descriptor takes its caveat values, and one without caveat
/// values takes all of its name. Taking `privateNetwork` or `write` leaves the plain permission.
///
/// `taken` values are compared as patterns: taking `/a/*` takes `/a/b` with it, and taking `/a/b` out of a held
/// `/a/*` takes the whole of that pattern, since what would be left cannot be said and less is safer.
pub fn subtract(held: &[Descriptor], taken: &[Revocation]) -> Vec<Descriptor> {
    held.iter()
        .filter_map(|descriptor| {
            let mut left = descriptor.clone();
            for revocation in taken.iter().filter(|taken| taken.name == descriptor.name()) {
                left = revocation.take_from(left)?;
            }
            Some(left)
        })
        .collect()
}

/// One entry of `permissions.revoke`: like a descriptor, but the caveats may be left out, which means all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, optional_fields))]
pub struct Revocation {
    /// What it is for.
    pub name: GrantName,
    /// `dial`: true takes only the private network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_network: Option<bool>,
    /// `routing`: true takes only writing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<bool>,
    /// `streams`: takes these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocols: Option<Vec<String>>,
    /// `pubsub`: takes these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topics: Option<Vec<String>>,
}

impl Revocation {
    /// All of a name.
    pub const fn all(name: GrantName) -> Self {
        Revocation {
            name,
            private_network: None,
            write: None,
            protocols: None,
            topics: None,
        }
    }

    /// Checks that the caveats belong to the name and their values are well formed.
    ///
    /// # Errors
    /// `None` where a caveat belongs to another name, else the rule that a value breaks.
    pub fn validate(&self) -> Result<(), Option<DescriptorError>> {
        let foreign = (self.private_network.is_some() && self.name != GrantName::Dial)
            || (self.write.is_some() && self.name != GrantName::Routing)
            || (self.protocols.is_some() && self.name != GrantName::Streams)
            || (self.topics.is_some() && self.name != GrantName::Pubsub);
        if foreign {
            return Err(None);
        }
        if let Some(protocols) = &self.protocols {
            check_values("protocols", protocols, true).map_err(Some)?;
        }
        if let Some(topics) = &self.topics {
            check_values("topics", topics, false).map_err(Some)?;
        }
        Ok(())
    }

    fn take_from(&self, held: Descriptor) -> Option<Descriptor> {
        let keep = |values: Vec<String>, taken: &Option<Vec<String>>| -> Vec<String> {
            match taken {
                None => Vec::new(),
                Some(taken) => values
                    .into_iter()
                    .filter(|value| {
                        !taken.iter().any(|taken| {
                            pattern_covers(taken, value) || pattern_covers(value, taken)
                        })
                    })
                    .collect(),
            }
        };
        match held {
            Descriptor::Dial { .. } if self.private_network == Some(true) => {
                Some(Descriptor::Dial {
                    private_network: false,
                })
            }
            Descriptor::Routing { .. } if self.write == Some(true) => {
                Some(Descriptor::Routing { write: false })
            }
            Descriptor::Streams { protocols } => {
                let protocols = keep(protocols, &self.protocols);
                (!protocols.is_empty()).then_some(Descriptor::Streams { protocols })
            }
            Descriptor::Pubsub { topics } => {
                let topics = keep(topics, &self.topics);
                (!topics.is_empty()).then_some(Descriptor::Pubsub { topics })
            }
            _ => None,
        }
    }
}

/// Whether any held `streams` grant allows this protocol id.
pub fn allows_protocol(held: &[Descriptor], protocol: &str) -> bool {
    held.iter().any(|descriptor| {
        matches!(descriptor, Descriptor::Streams { protocols }
            if protocols.iter().any(|pattern| matches(pattern, protocol)))
    })
}

/// Whether any held `pubsub` grant allows this topic.
pub fn allows_topic(held: &[Descriptor], topic: &str) -> bool {
    held.iter().any(|descriptor| {
        matches!(descriptor, Descriptor::Pubsub { topics }
            if topics.iter().any(|pattern| matches(pattern, topic)))
    })
}

#[cfg(test)]
mod tests;
