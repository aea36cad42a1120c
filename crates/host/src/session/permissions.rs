//! `permissions.*`, and what follows when grants end.

use std::{collections::BTreeSet, rc::Rc, time::Duration};

use futures::{FutureExt, select};
use libp2p::PeerId;
use mooring_api::{
    Descriptor, ErrorCode, ErrorObject,
    descriptor::{Revocation, allows_protocol, allows_topic, covers},
    results::Granted,
};
use mooring_node::{Connection, DialRequest, Owner, Scope};

use super::{Session, events};
use crate::{
    error::error,
    host::Core,
    limits::COMMAND_TIMEOUT,
    prompt::{self, Answered},
};

fn granted(core: &Core, session: &Session) -> Granted {
    Granted {
        granted: session.held(core).to_vec(),
    }
}

fn rejected(message: &str) -> ErrorObject {
    error(ErrorCode::UserRejected, message)
}

/// Asks the user for what the origin lacks, unless it was asked before.
pub(super) async fn request(
    core: &Rc<Core>,
    session: &Rc<Session>,
    wanted: Vec<Descriptor>,
) -> Result<Granted, ErrorObject> {
    let now = core.platform.now_ms();
    let (open, denied_before) =
        core.grants
            .borrow()
            .open_questions(session.origin(), &session.document, now, &wanted);
    if open.is_empty() {
        return if denied_before {
            Err(rejected(
                "The user denied this before; they can undo it in the extension's popup.",
            ))
        } else {
            Ok(granted(core, session))
        };
    }
    match prompt::ask(core, session, wanted).await? {
        // Some of what was missing is held now, or it would be a refusal.
        Answered::Decided if gained(core, session, &open) => Ok(granted(core, session)),
        Answered::Decided => Err(rejected("The user denied this.")),
        Answered::Closed => Err(rejected("The user closed the question without an answer.")),
        Answered::Paused(wait) => Err(rejected("The user refused several times; ask again later.")
            .with_retry_after(crate::error::millis(wait).max(1))),
    }
}

fn gained(core: &Core, session: &Session, open: &[Descriptor]) -> bool {
    let held = session.held(core);
    open.iter()
        .flat_map(Descriptor::atoms)
        .any(|atom| held.iter().any(|held| held.covers(&atom)))
}

/// Gives grants back, and ends what needed them.
pub(super) async fn revoke(
    core: &Rc<Core>,
    session: &Rc<Session>,
    taken: Option<Vec<Revocation>>,
) -> Result<Granted, ErrorObject> {
    core.grants
        .borrow_mut()
        .revoke(session.origin(), taken.as_deref());
    grants_ended(core, session.origin());
    save(core).await?;
    Ok(granted(core, session))
}

async fn save(core: &Rc<Core>) -> Result<(), ErrorObject> {
    core.save_grants_for_good().await.map_err(|fault| {
        tracing::error!(%fault, "the grants could not be stored");
        // It holds until this host ends, but a next one would know nothing of it.
        error(
            ErrorCode::Internal,
            "It could not be stored and holds only for now.",
        )
    })
}

/// Stores the grants without anybody waiting for it.
pub(crate) fn save_soon(core: &Rc<Core>) {
    let saving = core.clone();
    core.spawn(async move {
        if let Err(fault) = saving.save_grants().await {
            // What is decided holds until this host ends; then the user is asked again.
            tracing::error!(%fault, "the grants could not be stored");
        }
    });
}

/// Forgets a site, at the user's word.
pub(crate) async fn forget(core: &Rc<Core>, origin: &str) -> Result<(), ErrorObject> {
    core.grants.borrow_mut().forget(origin);
    grants_ended(core, origin);
    save(core).await
}

/// An origin may hold less than before: ends its requests, streams, handlers and subscriptions that nothing allows any more, and its
/// interest in connections that it may not dial any more.
pub(crate) fn grants_ended(core: &Rc<Core>, origin: &str) {
    // No document is open, perhaps; what lasts still counts.
    let lasting = core.lasting(origin);
    let mut all = lasting.clone();
    for session in core.sessions.of_origin(origin) {
        let held = session.held(core);
        all.extend_from_slice(&held);
        session.end_requests_without(&held);
        for stream in session.all_streams() {
            if !allows_protocol(&held, &stream.protocol) {
                stream.reset("revoked");
            }
        }
        core.handlers.retain(session.id, &lasting, |protocol| {
            allows_protocol(&held, protocol)
        });
        core.topics
            .retain(session.id, &lasting, |topic| allows_topic(&held, topic));
    }
    core.handlers.retain_lasting(origin, &lasting);
    core.topics.retain_lasting(origin, &lasting);
    let everywhere = Descriptor::Dial {
        private_network: true,
    };
    if !covers(&all, &everywhere) {
        // After the requests were ended, so that none of them adds an interest behind its back.
        core.spawn(release_all(core.clone(), origin.to_owned(), all));
    }
    super::dht::stop_without_grant(core, origin);
    core.note_grants();
    events::permissions_changed(core, origin);
}

/// Gives up an origin's interest in the peers that it could not dial with what it holds, also in those that are lost
/// with the network and would be dialed again.
async fn release_all(core: Rc<Core>, origin: String, held: Vec<Descriptor>) {
    let Some(node) = core.node.running() else {
        return;
    };
    let owner = Owner::new(&origin);
    let dials = held
        .iter()
        .any(|held| matches!(held, Descriptor::Dial { .. }));
    // A node that ends meanwhile has no connections.
    let connections = match dials {
        true => node.connections().await.unwrap_or_default(),
        false => Vec::new(),
    };
    let _ = node.release_all(owner.clone()).await;
    for peer in kept(&connections, &owner) {
        // It is open, so that this only says again who wants it.
        let again = DialRequest {
            peer: Some(peer),
            addresses: Vec::new(),
            owner: Some(owner.clone()),
            scope: Scope::GLOBAL,
            timeout: COMMAND_TIMEOUT,
        };
        let _ = node.dial(again).await;
    }
}

/// The peers that an owner may go on to want without private addresses. Those that it has a private connection to are not among
/// them: wanting one keeps all its connections open.
fn kept(connections: &[Connection], owner: &Owner) -> BTreeSet<PeerId> {
    let of = |private| {
        connections
            .iter()
            .filter(move |it| it.private == private && it.owners.contains(owner))
            .map(|it| it.peer)
    };
    let private: BTreeSet<PeerId> = of(true).collect();
    of(false).filter(|peer| !private.contains(peer)).collect()
}

/// Ends grants when their time is over, as long as the host runs.
pub(crate) async fn expire(core: Rc<Core>) {
    /// The clock may be set, so a far moment is looked at again.
    const LONGEST_NAP: Duration = Duration::from_secs(60);
    loop {
        let seen = core.grants_changed.seen();
        let now = core.platform.now_ms();
        let over = core.grants.borrow_mut().expire(now);
        for origin in &over {
            grants_ended(&core, origin);
        }
        if !over.is_empty() {
            if let Err(fault) = core.save_grants().await {
                tracing::warn!(%fault, "grants that are over are still stored, and ignored");
            }
            continue;
        }
        let next = core.grants.borrow().next_end();
        match next {
            None => core.grants_changed.changed(seen).await,
            Some(end) => {
                let nap = Duration::from_millis(end.saturating_sub(now)).min(LONGEST_NAP);
                select! {
                    () = core.grants_changed.changed(seen).fuse() => {}
                    () = core.platform.sleep(nap).fuse() => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use mooring_node::{Direction, Path, TransportKind};

    use super::*;

    #[test]
    fn a_direct_path_over_private_addresses_is_given_up_with_its_circuit() {
        let owner = Owner::new("https://site.example");
        let relayed: libp2p::Multiaddr = "/ip4/9.9.9.9/tcp/9/ws/p2p-circuit".parse().unwrap();
        let connection = |peer, private, owners| Connection {
            id: "1".into(),
            peer,
            // All of them look global.
            remote_address: relayed.clone(),
            direction: Direction::Outbound,
            path: Path::Direct,
            transport: TransportKind::Webrtc,
            private,
            opened_at_ms: 0,
            rtt: None,
            owners,
        };
        let (near, far, others) = (PeerId::random(), PeerId::random(), PeerId::random());
        let own = || vec![owner.clone()];
        let all = [
            connection(near, false, own()),
            connection(near, true, own()),
            connection(far, false, own()),
            connection(others, false, Vec::new()),
        ];
        assert_eq!(kept(&all, &owner), BTreeSet::from([far]));
    }
}
