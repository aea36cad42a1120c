//! The node's own identity, and the choice to make when it is damaged.

use leptos::prelude::*;
use mooring_api::popup::IdentityState;

use super::{
    copy,
    icons::{Icon, icon},
    relays,
};
use crate::{format, limits::MAX_TEXT, pending::Subject, state::State};

/// The own peer id and addresses.
pub fn own(state: State) -> impl IntoView {
    let now = Memo::new(move |_| {
        state
            .head
            .with(|head| head.as_ref()?.peer_id().map(str::to_owned))
    });
    let heard = Memo::new(move |_| state.head.with(Option::is_some));
    // Until the node speaks, what it last said; marked as such.
    let last = state
        .preferences
        .with_untracked(|preferences| preferences.last.as_ref()?.peer_id.clone());
    let shown = Memo::new(move |_| now.get().or_else(|| last.clone().filter(|_| !heard.get())));
    let remembered = move || now.get().is_none() && shown.get().is_some();
    let addresses = Memo::new(move |_| {
        state.head.with(|head| {
            head.as_ref()
                .map(|head| head.addresses.clone())
                .unwrap_or_default()
        })
    });
    let unfolded = state
        .preferences
        .with_untracked(|preferences| preferences.addresses);
    view! {
        <section class="card own" aria-labelledby="own-heading">
            <div class="line">
                <h2 id="own-heading">
                    "This node’s peer id"
                    <span class="hint">{move || if remembered() { " (as last seen)" } else { "" }}</span>
                </h2>
                <Show when=move || shown.get().is_some()>
                    {copy::button("Copy the peer id", move || shown.get_untracked().unwrap_or_default())}
                </Show>
            </div>
            <p>
                <code
                    class="peer-id"
                    class:remembered=remembered
                    class:missing=move || shown.get().is_none()
                    data-testid="peer-id"
                >
                    {move || shown.get().unwrap_or_else(|| "none yet".to_owned())}
                </code>
            </p>
            <details
                hidden=move || now.get().is_none()
                open=unfolded
                on:toggle=move |event| {
                    let open = event_target::<web_sys::HtmlDetailsElement>(&event).open();
                    state.prefer(|preferences| preferences.addresses = open);
                }
            >
                <summary>
                    {move || match addresses.with(Vec::len) {
                        0 => "No address of its own".to_owned(),
                        number => format!("Reachable at {}", format::count(number, "address", "addresses")),
                    }}
                </summary>
                {move || {
                    addresses
                        .with(Vec::is_empty)
                        .then(|| {
                            view! {
                                <p class="small">
                                    "It can dial others. Others can reach it once it is connected to a relay."
                                </p>
                            }
                        })
                }}
                <ul class="addresses" data-testid="addresses">
                    <For each=move || addresses.get() key=Clone::clone let:address>
                        {own_address(address, now.get_untracked().unwrap_or_default())}
                    </For>
                </ul>
                {relays::list(state)}
            </details>
        </section>
    }
}

fn own_address(address: String, own: String) -> impl IntoView {
    let full = format::clean(&address, MAX_TEXT);
    view! {
        <li class="line">
            <code class="address" title=full>{format::address(&address, &own)}</code>
            {copy::button("Copy this address", move || address.clone())}
        </li>
    }
}

/// The choice when the stored identity is damaged. Starting anew asks twice: it makes another peer of this node.
pub fn damaged(state: State) -> impl IntoView {
    let detail = Memo::new(move |_| {
        state.head.with(|head| match &head.as_ref()?.identity {
            IdentityState::Damaged { detail } => Some(format::clean(detail, MAX_TEXT)),
            IdentityState::Loading | IdentityState::Ready { .. } => None,
        })
    });
    let sure = RwSignal::new(false);
    Effect::new(move |_| {
        if detail.with(Option::is_none) {
            sure.set(false);
        }
    });
    let off = move || !state.is_live() || state.is_busy(&Subject::Identity);
    let choice = move || {
        if sure.get() {
            view! {
                <p>
                    "Start anew? The node becomes another peer, with a new peer id. Others that know it by the old one will not find it any more."
                </p>
                <div class="actions">
                    <button type="button" data-testid="new-identity-cancel" on:click=move |_| sure.set(false)>
                        "Cancel"
                    </button>
                    <button
                        type="button"
                        class="danger"
                        data-testid="new-identity-confirm"
                        disabled=off
                        on:click=move |_| state.new_identity()
                    >
                        "Yes, start anew"
                    </button>
                </div>
            }
            .into_any()
        } else {
            view! {
                <div class="actions">
                    <button
                        type="button"
                        class="primary"
                        data-testid="retry-identity"
                        disabled=off
                        on:click=move |_| state.retry_identity()
                    >
                        "Try again"
                    </button>
                    <button type="button" data-testid="new-identity" disabled=off on:click=move |_| sure.set(true)>
                        "Start anew…"
                    </button>
                </div>
            }
            .into_any()
        }
    };
    view! {
        <Show when=move || detail.with(Option::is_some)>
            <section class="card damaged" data-testid="identity-damaged" aria-labelledby="damaged-heading">
                <h2 id="damaged-heading">{icon(Icon::Warning)} "The stored identity is damaged"</h2>
                <p>
                    "The key that makes this node the peer that others know cannot be read. If you restore your browser profile, try again. Otherwise start anew; what is damaged is kept aside."
                </p>
                <p class="small">"What was found: " {move || detail.get()}</p>
                {choice}
            </section>
        </Show>
    }
}
