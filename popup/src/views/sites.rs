//! The sites that may use the node, and those that were denied it.

use leptos::prelude::*;

use crate::{format, pending::Subject, site::View, state::State, status::Head};

/// The section: how many there are, and a row for each site.
pub fn section(state: State) -> impl IntoView {
    let known = Memo::new(move |_| {
        state
            .head
            .with(|head| head.as_ref().and_then(Head::known_sites))
    });
    let unfolded = state
        .preferences
        .with_untracked(|preferences| preferences.sites);
    let hidden = move || {
        known
            .get()
            .unwrap_or(0)
            .saturating_sub(state.sites.with(Vec::len))
    };
    view! {
        <section class="card list">
            <details
                open=unfolded
                on:toggle=move |event| {
                    let open = event_target::<web_sys::HtmlDetailsElement>(&event).open();
                    state.prefer(|preferences| preferences.sites = open);
                }
            >
                <summary class="heading">
                    {move || match known.get() {
                        None => "Sites".to_owned(),
                        Some(0) => "No sites".to_owned(),
                        Some(number) => format::count(number, "site", "sites"),
                    }}
                </summary>
                <p class="empty">
                    {move || {
                        match known.get() {
                            None => "They show up here when the node runs.",
                            Some(0) => "No site has asked for anything. When one does, a window asks you first.",
                            Some(_) => "",
                        }
                    }}
                </p>
                <ul data-testid="sites">
                    <For each=move || state.sites.get() key=|row| row.key.clone() let:row>
                        {site(state, row.key, row.handle)}
                    </For>
                </ul>
                <p class="empty">
                    {move || match hidden() {
                        0 => String::new(),
                        more => format!("And {more} more."),
                    }}
                </p>
            </details>
        </section>
    }
}

fn site(state: State, key: String, row: ArcRwSignal<View>) -> impl IntoView {
    let name = row.with_untracked(|view| view.name.clone());
    let title = row.with_untracked(|view| view.origin.clone());
    let open = Memo::new({
        let row = row.clone();
        move |_| row.with(|view| view.open.clone())
    });
    let subject = Subject::Forget(key.clone());
    let off = move || !state.is_live() || state.is_busy(&subject);
    let forget_label = format!("Forget {name}");
    let origin = key.clone();
    let forget = move |_| state.forget(&key);
    view! {
        <li class="row" data-testid="site" data-origin=origin>
            <div class="line">
                <span class="site" title=title>{name}</span>
                <span class="hint">{open}</span>
                <button
                    type="button"
                    class="small-button"
                    data-testid="forget"
                    title="Take back what it may do, and forget what it was denied"
                    aria-label=forget_label
                    disabled=off
                    on:click=forget
                >
                    "Forget"
                </button>
            </div>
            {move || grants(state, &row.get())}
        </li>
    }
}

/// The list of what a site may and may not do. It changes seldom and is then made anew.
fn grants(state: State, view: &View) -> impl IntoView + use<> {
    let granted: Vec<_> = view
        .granted
        .iter()
        .cloned()
        .map(|grant| {
            view! {
                <li>
                    "may " {grant.what} ", " <span class="hint">{move || grant.until.words(state.coarse.get())}</span>
                </li>
            }
        })
        .collect();
    let denied: Vec<_> = view
        .denied
        .iter()
        .map(|denied| view! { <li class="denied">"may not " {denied.clone()}</li> })
        .collect();
    view! { <ul class="grants">{granted} {denied}</ul> }
}
