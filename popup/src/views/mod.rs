//! The page. Styles are classes only: the extension's CSP refuses inline ones.

mod connections;
mod copy;
mod dial;
mod icons;
mod identity;
mod relays;
mod settings;
mod sites;
mod status;

use leptos::prelude::*;

use crate::{link::Phase, state::State, words::Failure};
use icons::{Icon, icon};

/// The whole dashboard.
pub fn dashboard(state: State) -> impl IntoView {
    follow_theme(state);
    let stale = move || state.phase.get() == Phase::Restarting;
    view! {
        <header class="bar">
            {icon(Icon::Anchor)}
            <h1>"Mooring"</h1>
            {status::pause(state)}
        </header>
        <main class:stale=stale>
            {status::card(state)}
            {notice(state)}
            {identity::damaged(state)}
            {identity::own(state)}
            {dial::form(state)}
            {connections::section(state)}
            {sites::section(state)}
            {settings::section(state)}
        </main>
        <footer class="bar">
            <span class="version">{move || version(state)}</span>
        </footer>
    }
}

fn version(state: State) -> String {
    state.head.with(|head| match head {
        Some(head) => format!("Version {}", head.version),
        None => String::new(),
    })
}

/// What did not work, until it is put away or the next thing works.
fn notice(state: State) -> impl IntoView {
    view! {
        <div role="alert" class="alert-place">
            {move || {
                state.notice.get().map(|failure| {
                    view! {
                        <div class="notice" data-testid="notice">
                            {failure_text(failure)}
                            <button
                                type="button"
                                class="icon-button"
                                aria-label="Dismiss"
                                title="Dismiss"
                                on:click=move |_| state.notice.set(None)
                            >
                                {icon(Icon::Cross)}
                            </button>
                        </div>
                    }
                })
            }}
        </div>
    }
}

/// A failure in words, and small what the node says about it.
fn failure_text(failure: Failure) -> impl IntoView {
    view! {
        <div class="failure">
            <p>{icon(Icon::Warning)} <span>{failure.lead}</span></p>
            {failure.detail.map(|detail| view! { <p class="small">{detail}</p> })}
        </div>
    }
}

/// The stylesheet has all colours twice and takes the side that `color-scheme` names.
fn follow_theme(state: State) {
    Effect::new(move |_| {
        if let Some(root) = document().document_element() {
            // An attribute that cannot be set leaves the system's colours.
            let _ = root.set_attribute("data-theme", state.theme().name());
        }
    });
}
