//! The relays through which others can reach this node.

use leptos::prelude::*;

use super::icons::{Icon, icon};
use crate::{relay::View, state::State};

/// A list, under the node's own addresses: they lead through these.
pub fn list(state: State) -> impl IntoView {
    let relays = Memo::new(move |_| {
        state.head.with(|head| {
            head.as_ref()
                .map(|head| head.relays.clone())
                .unwrap_or_default()
        })
    });
    view! {
        <div class="relays" hidden=move || relays.with(Vec::is_empty)>
            <p class="small" id="relays-heading">"Relays it is connected to:"</p>
            <ul data-testid="relays" aria-labelledby="relays-heading">
                // What is said of a relay is part of its key: rows are few, and change seldom.
                <For each=move || relays.get() key=Clone::clone let:relay>
                    {row(relay)}
                </For>
            </ul>
        </div>
    }
}

fn row(relay: View) -> impl IntoView {
    let class = if relay.reserved {
        "relay good"
    } else {
        "relay waits"
    };
    let picture = if relay.reserved {
        Icon::Check
    } else {
        Icon::Hourglass
    };
    view! {
        <li class=class data-testid="relay" data-peer=relay.peer.clone() data-reserved=relay.reserved.to_string()>
            <div class="line">
                {icon(picture)}
                <code class="peer" title=relay.peer.clone()>{relay.peer_short}</code>
                <span class="standing">{relay.words}</span>
            </div>
            {relay.detail.map(|detail| view! { <p class="small">{detail}</p> })}
        </li>
    }
}
