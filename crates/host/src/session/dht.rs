//! `dht.*`: lookups, and what a site provides.

use std::{rc::Rc, time::Duration};

use libp2p::PeerId;
use mooring_api::{
    Descriptor, ErrorCode, ErrorObject, Method,
    descriptor::covers,
    params,
    results::{ClosestPeers, DhtRecord, FoundPeer, Providers},
};
use mooring_node::{DhtKey, LookupOptions, Owner, Scope};

use super::{
    Session,
    plan::{bad, may_write, peer, read, take_bytes},
    work::{Outcome, done, nothing},
};
use crate::{
    Value,
    error::{error, from_node},
    host::Core,
    limits::{MAX_LOOKUPS_PER_ORIGIN, MAX_PROVIDERS, MAX_RECORD_VALUE},
    quota::{Slot, exceeded},
};

/// What is looked for or written.
#[derive(Debug, PartialEq)]
pub(super) enum Lookup {
    Peer(PeerId),
    Closest(DhtKey),
    Providers(DhtKey, usize),
    Provide(DhtKey),
    StopProviding(DhtKey),
    Get(DhtKey),
    Put(DhtKey, Vec<u8>),
}

impl Lookup {
    /// Does it need `write: true`?
    pub(super) fn writes(&self) -> bool {
        matches!(
            self,
            Self::Provide(_) | Self::StopProviding(_) | Self::Put(..)
        )
    }
}

/// Reads the parameters, and judges the caveat.
pub(super) fn plan(
    held: &[Descriptor],
    method: Method,
    mut params: Value,
) -> Result<Lookup, ErrorObject> {
    let lookup = match method {
        Method::DhtFindPeer => Lookup::Peer(peer(&read::<params::PeerOnly>(params)?.peer)?),
        Method::DhtClosestPeers => Lookup::Closest(key(&mut params)?),
        Method::DhtFindProviders => Lookup::Providers(key(&mut params)?, limit(&params)?),
        Method::DhtProvide => Lookup::Provide(key(&mut params)?),
        Method::DhtStopProviding => Lookup::StopProviding(key(&mut params)?),
        Method::DhtGet => Lookup::Get(key(&mut params)?),
        Method::DhtPut => {
            let key = key(&mut params)?;
            let value = take_bytes(&mut params, "value")?;
            if value.len() > MAX_RECORD_VALUE {
                return Err(bad(format!(
                    "`value` has at most {MAX_RECORD_VALUE} bytes."
                )));
            }
            Lookup::Put(key, value)
        }
        other => {
            return Err(error(
                ErrorCode::Unsupported,
                format!("{} is not in this build.", other.name()),
            ));
        }
    };
    may_write(held, method)?;
    Ok(lookup)
}

fn key(params: &mut Value) -> Result<DhtKey, ErrorObject> {
    let key = match params.take("key") {
        Some(Value::Bytes(key)) => DhtKey::from_bytes(key),
        Some(Value::Text(key)) => DhtKey::parse(&key),
        _ => None,
    };
    key.ok_or_else(|| {
        bad("`key` is a Uint8Array of 1 to 512 bytes, or a CID or multihash as a string.")
    })
}

fn limit(params: &Value) -> Result<usize, ErrorObject> {
    const DEFAULT: usize = 20;
    match params.get("limit") {
        None | Some(Value::Null) => Ok(DEFAULT),
        // Whole, and so small that nothing is lost.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Some(Value::Number(limit))
            if limit.fract() == 0.0 && (1.0..=f64::from(MAX_PROVIDERS)).contains(limit) =>
        {
            Ok(*limit as usize)
        }
        Some(_) => Err(bad(format!(
            "`limit` is a whole number from 1 to {MAX_PROVIDERS}."
        ))),
    }
}

/// Does it. Dropping the future ends the lookup.
pub(super) async fn run(
    core: &Rc<Core>,
    session: &Rc<Session>,
    lookup: Lookup,
    scope: Scope,
    timeout: Duration,
) -> Result<Outcome, ErrorObject> {
    let owner = Owner::new(session.origin());
    let node = core.node.handle(core).await?;
    let failed = |fault| from_node(&fault);
    if let Lookup::StopProviding(key) = lookup {
        node.stop_providing(key, owner).await.map_err(failed)?;
        return nothing();
    }
    let _slot = count(core, session)?;
    let options = LookupOptions {
        owner,
        scope,
        timeout,
    };
    match lookup {
        Lookup::Peer(peer) => {
            let found = node.find_peer(peer, options).await.map_err(failed)?;
            done(&page_peer(found))
        }
        Lookup::Closest(key) => {
            let peers = node.closest_peers(key, options).await.map_err(failed)?;
            done(&ClosestPeers {
                peers: peers.iter().map(PeerId::to_string).collect(),
            })
        }
        Lookup::Providers(key, limit) => {
            let found = node.find_providers(key, limit, options);
            let found = found.await.map_err(failed)?;
            done(&Providers {
                providers: found.into_iter().map(page_peer).collect(),
            })
        }
        Lookup::Get(key) => {
            let value = node.get_record(key, options).await.map_err(failed)?;
            done(&DhtRecord {
                value: value.into(),
            })
        }
        Lookup::Put(key, value) => {
            let put = node.put_record(key, value, options);
            put.await.map_err(failed)?;
            nothing()
        }
        Lookup::Provide(key) => {
            node.provide(key, options).await.map_err(failed)?;
            nothing()
        }
        // Done above: it asks nobody.
        Lookup::StopProviding(_) => nothing(),
    }
}

/// A lookup takes a token of the site's, and is in flight until the result is dropped.
pub(super) fn count(core: &Core, session: &Session) -> Result<Slot, ErrorObject> {
    /// Lookups end within seconds, or at their time limit.
    const RETRY: Duration = Duration::from_secs(1);
    let site = &session.site;
    let slot = Slot::take(&site.lookups_in_flight, MAX_LOOKUPS_PER_ORIGIN)
        .ok_or_else(|| exceeded("lookupsInFlight", RETRY))?;
    site.lookups
        .take(core.platform.uptime())
        .map_err(|wait| exceeded("lookupsPerSecond", wait))?;
    Ok(slot)
}

fn page_peer(found: mooring_node::FoundPeer) -> FoundPeer {
    FoundPeer {
        peer: found.peer.to_string(),
        addresses: found.addresses.iter().map(ToString::to_string).collect(),
    }
}

/// An origin may hold less than before: provides nothing more for it, unless it may still write. What it
/// provides needs no open document.
pub(crate) fn stop_without_grant(core: &Rc<Core>, origin: &str) {
    let mut held = core.lasting(origin);
    for session in core.sessions.of_origin(origin) {
        held.extend_from_slice(&session.held(core));
    }
    if covers(&held, &Descriptor::Routing { write: true }) {
        return;
    }
    if let Some(node) = core.node.running() {
        let owner = Owner::new(origin);
        core.spawn(async move {
            // A node that ends meanwhile provides nothing.
            let _ = node.stop_providing_all(owner).await;
        });
    }
}
