//! What a user sets once: whom the node is told to, which the host keeps, and the popup's colours, which the popup keeps.

use leptos::prelude::*;

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
