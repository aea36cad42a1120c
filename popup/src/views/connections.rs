//! Peers and connections.

use leptos::prelude::*;
use mooring_api::results::Path;

use super::{
    copy,
    icons::{Icon, icon},
};
use crate::{connection::View, format, link::Phase, pending::Subject, state::State, status::Head};

/// The section: how many there are, and a row for each connection.
pub fn section(state: State) -> impl IntoView {
    let counts = Memo::new(move |_| {
        state
            .head
            .with(|head| head.as_ref().map(|head| (head.peers, head.connections)))
    });
    let heading = move || match counts.get() {
        None => "Peers".to_owned(),
        Some((0, 0)) => "No peers".to_owned(),
        Some((peers, connections)) => format!(
            "{}, {}",
            format::count(peers, "peer", "peers"),
            format::count(connections, "connection", "connections")
        ),
    };
    let hidden = move || {
        let connections = counts.get().map_or(0, |(_, connections)| connections);
        connections.saturating_sub(state.connections.with(Vec::len))
    };
    view! {
        <section class="card list" data-testid="peers" aria-labelledby="peers-heading">
            <h2 id="peers-heading">{heading}</h2>
            <p class="empty">{move || empty(state, counts.get())}</p>
            <ul data-testid="connections" aria-labelledby="peers-heading">
                <For each=move || state.connections.get() key=|row| row.key.clone() let:row>
                    {connection(state, row.handle)}
                </For>
            </ul>
            <p class="empty">
                {move || match hidden() {
                    0 => String::new(),
                    more => format!("And {more} more."),
                }}
            </p>
        </section>
    }
}

fn empty(state: State, counts: Option<(usize, usize)>) -> &'static str {
    let runs = state.head.with(|head| head.as_ref().is_none_or(Head::runs));
    match (state.phase.get(), counts) {
        (Phase::Live, Some((_, 0))) if !runs => "There are none while the node is not running.",
        (Phase::Live, Some((_, 0))) => {
            "Peers show up here when a site or you dial one, or when somebody dials this node."
        }
        (Phase::Live | Phase::Restarting, _) => "",
        (Phase::Looking, _) => "They show up here when the node answers.",
        (Phase::Missing | Phase::Gone, _) => "There are none while the node is not running.",
    }
}

fn connection(state: State, row: ArcRwSignal<View>) -> impl IntoView {
    // One memo a text: what did not change is not written again.
    let part = |take: fn(&View) -> String| {
        let row = row.clone();
        Memo::new(move |_| row.with(take))
    };
    let peer = row.with_untracked(|view| view.peer.clone());
    let peer_short = part(|view| view.peer_short.clone());
    let agent = part(|view| view.agent.clone().unwrap_or_default());
    let address = part(|view| view.address.clone());
    let address_short = part(|view| view.address_short.clone());
    let transport = part(|view| view.transport.clone());
    let round_trip = part(|view| view.round_trip.clone().unwrap_or_default());
    let wanted_by = part(|view| view.wanted_by.clone());
    let wanted_by_all = part(|view| view.wanted_by_all.clone());
    let path = Memo::new({
        let row = row.clone();
        move |_| row.with(|view| view.path)
    });
    let opened_at = row.with_untracked(|view| view.opened_at);
    let age = Memo::new(move |_| format::span(state.coarse.get().saturating_sub(opened_at)));

    let subject = Subject::HangUp(peer.clone());
    let hanging_up = move || state.is_busy(&subject);
    let hang_up = {
        let peer = peer.clone();
        move |_| state.hang_up(&peer)
    };
    let short = peer_short.get_untracked();
    let hang_up_label = format!("Hang up on {short}");
    let peer_to_copy = peer.clone();
    let (since, since_title) = date(opened_at);
    view! {
        <li class="row" data-testid="connection" data-peer=peer.clone()>
            <div class="line">
                <code class="peer" title=peer.clone()>{peer_short}</code>
                {copy::button("Copy the peer id", move || peer_to_copy.clone())}
                <span class="agent" title=agent>{agent}</span>
                <span class="rtt" data-testid="rtt" title="Round trip">
                    {move || {
                        let said = round_trip.get();
                        if said.is_empty() { "no ping yet".to_owned() } else { said }
                    }}
                </span>
                <button
                    type="button"
                    class="icon-button danger"
                    data-testid="hang-up"
                    title="Hang up"
                    aria-label=hang_up_label
                    disabled=move || !state.is_live() || hanging_up()
                    on:click=hang_up
                >
                    {icon(Icon::Cross)}
                </button>
            </div>
            <div class="line">
                <code class="address" title=address>{address_short}</code>
                {copy::button("Copy the address", move || address.get_untracked())}
            </div>
            <ul class="facts">
                <li class=move || if path.get() == Path::Direct { "path direct" } else { "path relayed" } data-testid="path">
                    {move || icon(if path.get() == Path::Direct { Icon::Direct } else { Icon::Relayed })}
                    {move || if path.get() == Path::Direct { "Direct" } else { "Relayed" }}
                </li>
                <li data-testid="transport">{transport}</li>
                <li>
                    <time datetime=since title=since_title data-testid="age">{age}</time>
                </li>
                <li class="wanted" title=wanted_by_all data-testid="wanted-by">{wanted_by}</li>
            </ul>
        </li>
    }
}

/// A time for machines and for people. A time beyond what a date can say is none.
fn date(ms: u64) -> (String, String) {
    let date = js_sys::Date::new(&(ms as f64).into());
    if date.get_time().is_nan() {
        return (String::new(), String::new());
    }
    let said = date.to_locale_string("default", &js_sys::Object::new());
    (
        date.to_iso_string().into(),
        format!("Since {}", String::from(said)),
    )
}
