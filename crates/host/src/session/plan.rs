//! Everything that is decided about a request before anything is done for it.

use std::time::Duration;

use libp2p::{Multiaddr, PeerId, StreamProtocol};
use mooring_api::{
    Descriptor, ErrorCode, ErrorObject, GrantName, Method,
    descriptor::{Revocation, allows_protocol, allows_topic},
    event::EventName,
    limits::{
        DEFAULT_TIMEOUT_MS, MAX_ADDRESSES, MAX_DESCRIPTORS, MAX_NAME_BYTES, MAX_NAMES,
        MAX_TIMEOUT_MS,
    },
    params,
};
use mooring_node::{Scope, address_policy};
use serde::Deserialize;

use super::{Session, dht, needs::Needs, pubsub};
use crate::{
    Value,
    error::{error, from_node},
    from_value,
    host::Core,
    limits::MAX_PROMPT_VALUES,
};

/// What is to be done for a request.
#[derive(Debug, PartialEq)]
pub(super) enum Work {
    /// Answered without work.
    Quick,
    RequestPermissions(Vec<Descriptor>),
    Revoke(Option<Vec<Revocation>>),
    Identity,
    Peers,
    Ping(PeerId),
    Dial {
        peer: Option<PeerId>,
        addresses: Vec<Multiaddr>,
        scope: Scope,
    },
    Connections,
    Release(PeerId),
    OpenStream {
        peer: PeerId,
        protocols: Vec<StreamProtocol>,
        allow_relayed: bool,
        dial: Option<Scope>,
    },
    Handle(Vec<StreamProtocol>),
    Unhandle(Vec<StreamProtocol>),
    Subscribe(Vec<EventName>),
    Unsubscribe(Vec<EventName>),
    Dht(dht::Lookup, Scope),
    Pubsub(pubsub::Ask),
    /// In the contract, and not in this build.
    NotBuilt(Method),
}

/// Work, its time limit, and what must be held until it is done.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) work: Work,
    pub(super) needs: Needs,
    pub(super) timeout: Duration,
}

/// -32602.
pub(super) fn bad(message: impl Into<String>) -> ErrorObject {
    error(ErrorCode::InvalidParams, message)
}

/// 4100.
pub(super) fn lacking(name: &str) -> ErrorObject {
    error(
        ErrorCode::Unauthorized,
        "The site does not hold the permission for this; ask with permissions.request.",
    )
    .with_detail(name)
}

/// Judges a request by everything but the quotas.
pub(super) fn plan(
    core: &Core,
    session: &Session,
    method: Method,
    params: Option<Value>,
) -> Result<Plan, ErrorObject> {
    let held = session.held(core);
    if let Some(grant) = method.grant()
        && !holds(&held, grant)
    {
        return Err(lacking(grant.as_str()));
    }
    let params = params.unwrap_or(Value::Map(Vec::new()));
    if !matches!(params, Value::Map(_)) {
        return Err(bad("Parameters are one object."));
    }
    let timeout = time_limit(method, &params)?;
    let work = work(&held, method, params)?;
    let needs = Needs::of(method.grant(), &work);
    Ok(Plan {
        work,
        needs,
        timeout,
    })
}

fn holds(held: &[Descriptor], name: GrantName) -> bool {
    held.iter().any(|descriptor| descriptor.name() == name)
}

fn time_limit(method: Method, params: &Value) -> Result<Duration, ErrorObject> {
    let default = match method {
        // A person is asked.
        Method::PermissionsRequest => MAX_TIMEOUT_MS,
        _ => DEFAULT_TIMEOUT_MS,
    };
    let Some(value) = params.get("timeoutMs") else {
        return Ok(Duration::from_millis(default));
    };
    #[allow(clippy::cast_precision_loss)] // 300,000
    let most = MAX_TIMEOUT_MS as f64;
    match value {
        Value::Number(ms) if *ms >= 1.0 && *ms <= most => Ok(Duration::from_secs_f64(ms / 1000.0)),
        _ => Err(bad(format!(
            "`timeoutMs` is a number from 1 to {MAX_TIMEOUT_MS}."
        ))),
    }
}

pub(super) fn read<T: for<'de> Deserialize<'de>>(params: Value) -> Result<T, ErrorObject> {
    from_value(params).map_err(|fault| bad(format!("The parameters do not fit: {fault}.")))
}

fn work(held: &[Descriptor], method: Method, mut params: Value) -> Result<Work, ErrorObject> {
    Ok(match method {
        Method::NodeHello | Method::NodeStatus | Method::PermissionsQuery => Work::Quick,
        Method::PermissionsRequest => {
            Work::RequestPermissions(descriptors(params.take("permissions"))?)
        }
        Method::PermissionsRevoke => Work::Revoke(revocations(params.take("permissions"))?),
        Method::IdentityGet => Work::Identity,
        Method::PeersList => Work::Peers,
        Method::PeersPing => Work::Ping(peer(&read::<params::PeerOnly>(params)?.peer)?),
        Method::ConnectionsDial => dial(held, read(params)?)?,
        Method::ConnectionsList => Work::Connections,
        Method::ConnectionsRelease => Work::Release(peer(&read::<params::PeerOnly>(params)?.peer)?),
        Method::StreamsOpen => {
            let open: params::OpenStream = read(params)?;
            let peer = peer(&open.peer)?;
            let protocols = protocols(held, &open.protocols)?;
            if let Some(own) = protocols
                .iter()
                .find(|protocol| is_nodes_own(protocol.as_ref()))
            {
                return Err(error(
                    ErrorCode::Refused,
                    "Through that protocol a page would speak for the node itself.",
                )
                .with_detail(own.to_string()));
            }
            Work::OpenStream {
                peer,
                protocols,
                allow_relayed: open.allow_relayed.unwrap_or(true),
                dial: holds(held, GrantName::Dial).then(|| scope(held)),
            }
        }
        Method::StreamsHandle => Work::Handle(protocols(
            held,
            &read::<params::Protocols>(params)?.protocols,
        )?),
        Method::StreamsUnhandle => Work::Unhandle(protocols(
            held,
            &read::<params::Protocols>(params)?.protocols,
        )?),
        Method::EventsSubscribe => {
            let events = events(read(params)?)?;
            for event in &events {
                if let Some(grant) = event.grant().filter(|grant| !holds(held, *grant)) {
                    return Err(lacking(grant.as_str()));
                }
            }
            Work::Subscribe(events)
        }
        Method::EventsUnsubscribe => Work::Unsubscribe(events(read(params)?)?),
        Method::DhtFindPeer
        | Method::DhtClosestPeers
        | Method::DhtFindProviders
        | Method::DhtProvide
        | Method::DhtStopProviding
        | Method::DhtGet
        | Method::DhtPut => Work::Dht(dht::plan(held, method, params)?, scope(held)),
        Method::PubsubSubscribe
        | Method::PubsubUnsubscribe
        | Method::PubsubPublish
        | Method::PubsubPeers => Work::Pubsub(pubsub::plan(held, method, params)?),
        later => {
            check_later(held, later, params)?;
            Work::NotBuilt(later)
        }
    })
}

/// Parameters and caveats of what is not built yet.
fn check_later(held: &[Descriptor], method: Method, params: Value) -> Result<(), ErrorObject> {
    match method {
        Method::RendezvousRegister | Method::RendezvousDiscover | Method::RendezvousUnregister => {
            let rendezvous: params::Rendezvous = read(params)?;
            if rendezvous.namespace.is_empty() || rendezvous.namespace.len() > MAX_NAMESPACE {
                return Err(bad(format!("`namespace` has 1 to {MAX_NAMESPACE} bytes.")));
            }
            rendezvous.point.as_deref().map(peer).transpose()?;
            if rendezvous
                .ttl_seconds
                .is_some_and(|ttl| !(1..=MAX_TTL).contains(&ttl))
            {
                return Err(bad(format!(
                    "`ttlSeconds` is a number from 1 to {MAX_TTL}."
                )));
            }
        }
        _ => {}
    }
    may_write(held, method)
}

/// Judges the caveat of `routing`.
pub(super) fn may_write(held: &[Descriptor], method: Method) -> Result<(), ErrorObject> {
    let writes = held
        .iter()
        .any(|held| matches!(held, Descriptor::Routing { write: true }));
    if method.needs_routing_write() && !writes {
        return Err(lacking("routing, write: true"));
    }
    Ok(())
}

/// Longest namespace: libp2p/specs, rendezvous.
const MAX_NAMESPACE: usize = 255;
/// Longest life of a registration, in seconds: 72 hours, libp2p/specs, rendezvous.
const MAX_TTL: u32 = 72 * 60 * 60;

pub(super) fn take_bytes(params: &mut Value, name: &str) -> Result<Vec<u8>, ErrorObject> {
    match params.take(name) {
        Some(Value::Bytes(bytes)) => Ok(bytes),
        // serde would take an array or a string for bytes too.
        _ => Err(bad(format!("`{name}` is a Uint8Array."))),
    }
}

pub(super) fn topic(held: &[Descriptor], topic: &str) -> Result<(), ErrorObject> {
    if topic.is_empty() || topic.len() > MAX_NAME_BYTES || topic.chars().any(char::is_control) {
        return Err(bad(format!(
            "A topic has 1 to {MAX_NAME_BYTES} bytes and no control characters."
        )));
    }
    if !allows_topic(held, topic) {
        return Err(lacking("pubsub, this topic"));
    }
    Ok(())
}

/// Descriptors are read one by one: whatever is wrong with one is said of that one.
fn descriptors(list: Option<Value>) -> Result<Vec<Descriptor>, ErrorObject> {
    let Some(Value::List(list)) = list else {
        return Err(bad("`permissions` is a list of descriptors."));
    };
    if list.len() > MAX_DESCRIPTORS {
        return Err(bad(format!(
            "`permissions` has more than {MAX_DESCRIPTORS} entries."
        )));
    }
    let mut wanted = Vec::new();
    for item in list {
        if !matches!(item, Value::Map(_)) {
            return Err(bad("A descriptor is an object with a `name`."));
        }
        let descriptor: Descriptor = read(item)?;
        descriptor
            .validate()
            .map_err(|fault| bad(format!("{fault}.")))?;
        wanted.push(descriptor);
    }
    if wanted
        .iter()
        .map(|wanted| wanted.atoms().len())
        .sum::<usize>()
        > MAX_PROMPT_VALUES
    {
        return Err(bad(format!(
            "More than {MAX_PROMPT_VALUES} values in one request."
        )));
    }
    Ok(wanted)
}

fn revocations(list: Option<Value>) -> Result<Option<Vec<Revocation>>, ErrorObject> {
    let list = match list {
        None => return Ok(None),
        Some(Value::List(list)) => list,
        Some(_) => return Err(bad("`permissions` is a list of descriptors.")),
    };
    if list.len() > MAX_DESCRIPTORS {
        return Err(bad(format!(
            "`permissions` has more than {MAX_DESCRIPTORS} entries."
        )));
    }
    let mut taken = Vec::new();
    for item in list {
        if !matches!(item, Value::Map(_)) {
            return Err(bad("A descriptor is an object with a `name`."));
        }
        let revocation: Revocation = read(item)?;
        revocation.validate().map_err(|fault| match fault {
            Some(fault) => bad(format!("{fault}.")),
            None => bad("A caveat does not belong to that permission."),
        })?;
        taken.push(revocation);
    }
    Ok(Some(taken))
}

pub(super) fn peer(text: &str) -> Result<PeerId, ErrorObject> {
    text.parse()
        .map_err(|_| bad("A peer is given by its peer id."))
}

fn events(events: params::Events) -> Result<Vec<EventName>, ErrorObject> {
    if events.events.len() > MAX_NAMES {
        return Err(bad("Too many events."));
    }
    events
        .events
        .iter()
        .map(|name| EventName::from_name(name).ok_or_else(|| bad("There is no such event.")))
        .collect()
}

fn protocols(held: &[Descriptor], names: &[String]) -> Result<Vec<StreamProtocol>, ErrorObject> {
    if names.is_empty() || names.len() > MAX_NAMES {
        return Err(bad(format!("`protocols` has 1 to {MAX_NAMES} entries.")));
    }
    let mut protocols: Vec<StreamProtocol> = Vec::new();
    for name in names {
        let fits = name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control);
        let protocol = StreamProtocol::try_from_owned(name.clone())
            .ok()
            .filter(|_| fits);
        let protocol = protocol.ok_or_else(|| {
            bad(format!(
                "A protocol id begins with `/`, and has at most {MAX_NAME_BYTES} bytes and no control characters."
            ))
        })?;
        if !protocols.contains(&protocol) {
            protocols.push(protocol);
        }
    }
    if protocols
        .iter()
        .any(|protocol| !allows_protocol(held, protocol.as_ref()))
    {
        return Err(lacking("streams, all of these protocols"));
    }
    Ok(protocols)
}

/// Protocols that only the node speaks: with them a page could announce false addresses, answer lookups, spend
/// relays' goodwill or read its own public address. `/ipfs/ping/` and the like harm nobody.
const NODES_OWN: &[&str] = &[
    "/floodsub/",
    "/ipfs/id/",
    "/ipfs/kad/",
    "/libp2p/autonat/",
    "/libp2p/circuit/",
    "/libp2p/dcutr",
    "/meshsub/",
    "/mplex/",
    "/multistream/",
    "/noise",
    "/tls/",
    "/webrtc-signaling",
    "/yamux/",
];

fn is_nodes_own(protocol: &str) -> bool {
    NODES_OWN.iter().any(|own| protocol.starts_with(own))
}

/// How far what the origin holds lets it dial.
fn scope(held: &[Descriptor]) -> Scope {
    Scope {
        private_network: held.iter().any(|held| {
            matches!(
                held,
                Descriptor::Dial {
                    private_network: true
                }
            )
        }),
    }
}

fn dial(held: &[Descriptor], dial: params::Dial) -> Result<Work, ErrorObject> {
    let peer = dial.peer.as_deref().map(peer).transpose()?;
    let texts = dial.addresses.unwrap_or_default();
    if texts.len() > MAX_ADDRESSES {
        return Err(bad(format!(
            "`addresses` has more than {MAX_ADDRESSES} entries."
        )));
    }
    if texts.is_empty() && peer.is_none() {
        return Err(bad("Say whom to dial: `peer`, `addresses`, or both."));
    }
    let scope = scope(held);
    let mut addresses = Vec::new();
    let mut refused = None;
    let mut undialable = None;
    for text in &texts {
        match address_policy::parse(text, scope) {
            Ok(address) => addresses.push(address),
            Err(fault @ mooring_node::Error::Refused { .. }) => refused = Some(fault),
            Err(fault) => undialable = Some(fault),
        }
    }
    if addresses.is_empty()
        && let Some(fault) = refused.or(undialable)
    {
        return Err(from_node(&fault));
    }
    Ok(Work::Dial {
        peer: one_peer(peer, &addresses)?,
        addresses,
        scope,
    })
}

/// The one peer that a dial is for; `None` where no address says so either.
fn one_peer(peer: Option<PeerId>, addresses: &[Multiaddr]) -> Result<Option<PeerId>, ErrorObject> {
    let mut one = peer;
    for named in addresses.iter().filter_map(address_policy::peer_of) {
        match one {
            Some(one) if one != named => {
                return Err(bad(
                    "The addresses lead to different peers, or to another than `peer`.",
                ));
            }
            _ => one = Some(named),
        }
    }
    Ok(one)
}
