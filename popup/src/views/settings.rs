//! What a user sets once: whom the node is told to, which the host keeps, and the popup's colours, which the popup keeps.

use leptos::{html, prelude::*};

use crate::{pending::Subject, preferences::Theme, state::State};

/// The section, folded until it is wanted.
pub fn section(state: State) -> impl IntoView {
    let unfolded = state
        .preferences
        .with_untracked(|preferences| preferences.settings);
    view! {
        <section class="card list settings">
            <details
                open=unfolded
                data-testid="settings"
                on:toggle=move |event| {
                    let open = event_target::<web_sys::HtmlDetailsElement>(&event).open();
                    state.prefer(|preferences| preferences.settings = open);
                }
            >
                <summary class="heading">"Settings"</summary>
                {announced(state)}
                {servers(state)}
                {theme(state)}
            </details>
        </section>
    }
}

fn announced(state: State) -> impl IntoView {
    let everywhere = Memo::new(move |_| {
        state
            .head
            .with(|head| head.as_ref().is_none_or(|head| head.announced_everywhere))
    });
    let toggle = move |event: leptos::ev::Event| {
        let input = event_target::<web_sys::HtmlInputElement>(&event);
        let wanted = input.checked();
        // What it shows is what the node says, not what was clicked: the node may not be able to store it.
        input.set_checked(everywhere.get_untracked());
        if !untrack(|| state.is_busy(&Subject::Announced)) {
            state.set_announced(wanted);
        }
    };
    view! {
        <div class="setting">
            <label class="check">
                <input
                    type="checkbox"
                    data-testid="announced"
                    aria-describedby="announced-more"
                    prop:checked=move || everywhere.get()
                    // Not while it waits for its answer: what is disabled loses the keyboard's focus.
                    disabled=move || !state.can_set()
                    on:change=toggle
                />
                "Announce this extension to sites I have not allowed"
            </label>
            <p id="announced-more" class="small">
                {move || match everywhere.get() {
                    true => "Any site can see that you have it, and ask you. ",
                    false => "Only sites that you allowed can see that you have it; no other can ask you. ",
                }}
                "Takes effect when a page is loaded."
            </p>
        </div>
    }
}

fn servers(state: State) -> impl IntoView {
    let input = NodeRef::<html::Textarea>::new();
    let listed = Memo::new(move |_| {
        state.head.with(|head| {
            head.as_ref()
                .map(|head| head.ice_servers.join("\n"))
                .unwrap_or_default()
        })
    });
    let busy = move || !state.can_set() || state.is_busy(&Subject::IceServers);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if let Some(input) = input.get_untracked()
            && !untrack(busy)
        {
            state.set_ice_servers(Some(&input.value()));
        }
    };
    view! {
        <form class="setting servers" on:submit=submit novalidate>
            <label for="servers-input">"STUN and TURN servers"</label>
            <textarea
                node_ref=input
                id="servers-input"
                data-testid="servers"
                rows="3"
                wrap="off"
                placeholder="none"
                autocomplete="off"
                autocapitalize="none"
                spellcheck="false"
                aria-describedby="servers-more"
                prop:value=move || listed.get()
            ></textarea>
            <p id="servers-more" class="small">
                "Asked for this machine’s public address when a browser is to be reached directly. One a line: "
                <code>"stun:host:port"</code> " or " <code>"turn:host:port name password"</code> ". Leave it empty to ask none."
            </p>
            <div class="line">
                <button type="submit" class="small-button" data-testid="servers-save" disabled=busy>"Save"</button>
                <button
                    type="button"
                    class="small-button"
                    data-testid="servers-default"
                    disabled=busy
                    on:click=move |_| state.set_ice_servers(None)
                >
                    "Use the default"
                </button>
            </div>
        </form>
    }
}

fn theme(state: State) -> impl IntoView {
    let chosen = untrack(|| state.theme());
    let choose = move |event| {
        if let Some(theme) = Theme::named(&event_target_value(&event)) {
            state.prefer(|preferences| preferences.theme = theme);
        }
    };
    let options = Theme::ALL.map(|theme| {
        view! { <option value=theme.name() selected=theme == chosen>{theme.label()}</option> }
    });
    view! {
        <label class="setting theme">
            "Colours"
            <select data-testid="theme" on:change=choose>{options.collect_view()}</select>
        </label>
    }
}
