//! The form to dial an address.

use leptos::{html, prelude::*};

use super::{
    failure_text,
    icons::{Icon, icon},
};
use crate::state::{Dial, State};

/// The form, with what became of the last address beneath it.
pub fn form(state: State) -> impl IntoView {
    let input = NodeRef::<html::Input>::new();
    let dialing = move || state.dial.with(|dial| *dial == Dial::Dialing);
    let failed = move || state.dial.with(|dial| matches!(dial, Dial::Failed(_)));
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if dialing() {
            return;
        }
        if let Some(input) = input.get_untracked() {
            state.dial(&input.value());
        }
    };
    Effect::new(move |_| {
        if state.dial.with(|dial| *dial == Dial::Connected)
            && let Some(input) = input.get_untracked()
        {
            input.set_value("");
        }
    });
    // What is said about an address goes when another is typed.
    let typed = move |_| {
        if !dialing() && state.dial.with_untracked(|dial| *dial != Dial::Idle) {
            state.dial.set(Dial::Idle);
        }
    };
    view! {
        <section class="card dial" aria-labelledby="dial-heading">
            <form on:submit=submit novalidate>
                <label id="dial-heading" class="heading" for="dial-input">"Connect to a peer"</label>
                <div class="line">
                    <input
                        node_ref=input
                        id="dial-input"
                        data-testid="dial-input"
                        type="text"
                        inputmode="url"
                        placeholder="/ip4/…/udp/…/webrtc-direct/…/p2p/…"
                        autocomplete="off"
                        autocapitalize="none"
                        spellcheck="false"
                        aria-describedby="dial-outcome"
                        aria-invalid=move || failed().to_string()
                        on:input=typed
                    />
                    <button
                        type="submit"
                        class="primary"
                        data-testid="dial-button"
                        disabled=move || !state.is_live() || dialing()
                    >
                        {move || if dialing() { "Dialing…" } else { "Dial" }}
                    </button>
                </div>
            </form>
            <div id="dial-outcome" role="status">
                {move || match state.dial.get() {
                    Dial::Idle | Dial::Dialing => None,
                    Dial::Connected => {
                        Some(
                            view! { <p class="success" data-testid="dial-done">{icon(Icon::Check)} "Connected."</p> }
                                .into_any(),
                        )
                    }
                    Dial::Failed(failure) => {
                        Some(view! { <div data-testid="dial-error">{failure_text(failure)}</div> }.into_any())
                    }
                }}
            </div>
        </section>
    }
}
