//! How the node is, and the switch to pause it.

use leptos::prelude::*;
use mooring_api::results::NodeState;

use super::icons::{Icon, icon};
use crate::{link::Phase, pending::Subject, state::State, status::Tone};

/// The sentence that says how the node is.
pub fn card(state: State) -> impl IntoView {
    let tone = Memo::new(move |_| state.status.with(|status| status.tone));
    let name = Memo::new(move |_| state.status.with(|status| status.name));
    let more = Memo::new(move |_| state.status.with(|status| status.more.clone()));
    view! {
        <section class=move || format!("card status {}", class(tone.get())) aria-label="State">
            <span class="badge">{move || icon(picture(tone.get()))}</span>
            <div class="words">
                <p class="sentence" role="status" data-testid="status" data-state=move || name.get()>
                    {move || state.status.with(|status| status.sentence.clone())}
                </p>
                <p class="more" data-testid="status-more">{move || more.get()}</p>
                {move || help(state)}
            </div>
        </section>
    }
}

/// What the user can do about a node that is not there.
fn help(state: State) -> Option<impl IntoView> {
    let phase = state.phase.get();
    let failed = state.head.with(|head| {
        head.as_ref()
            .is_some_and(|head| head.state == NodeState::Failed)
    });
    let identity = state.status.with(|status| status.name == "damaged");
    let safe_mode = phase == Phase::Live
        && state
            .head
            .with(|head| head.as_ref().is_some_and(|head| head.safe_mode));
    let gone = phase == Phase::Gone || (phase == Phase::Live && failed && !identity && !safe_mode);
    let missing = matches!(phase, Phase::Missing | Phase::Gone);
    (gone || missing || safe_mode).then(|| {
        view! {
            <div class="actions">
                {safe_mode
                    .then(|| {
                        view! {
                            <button
                                type="button"
                                class="primary"
                                data-testid="start-again"
                                disabled=move || state.is_busy(&Subject::Start)
                                on:click=move |_| state.start_again()
                            >
                                "Start again"
                            </button>
                        }
                    })}
                {missing
                    .then(|| {
                        view! {
                            <button type="button" data-testid="restart" on:click=move |_| state.retry()>
                                "Try now"
                            </button>
                        }
                    })}
                {gone
                    .then(|| {
                        view! {
                            <button
                                type="button"
                                class="primary"
                                data-testid="reload"
                                on:click=move |_| state.reload()
                            >
                                "Reload the extension"
                            </button>
                        }
                    })}
            </div>
        }
    })
}

/// The switch in the bar.
pub fn pause(state: State) -> impl IntoView {
    let paused = Memo::new(move |_| {
        state
            .head
            .with(|head| head.as_ref().is_some_and(|head| head.paused))
    });
    let possible = move || {
        let runs = state.head.with(|head| {
            head.as_ref()
                .is_some_and(|head| head.state != NodeState::Failed && head.peer_id().is_some())
        });
        state.is_live() && runs && !state.is_busy(&Subject::Pause)
    };
    let title = move || match paused.get() {
        true => "Let the node run again",
        false => "Close all connections and keep the node from making new ones",
    };
    view! {
        <button
            type="button"
            class="pause"
            class:primary=move || paused.get()
            data-testid="pause"
            title=title
            disabled=move || !possible()
            on:click=move |_| state.set_paused(!paused.get_untracked())
        >
            {move || icon(if paused.get() { Icon::Play } else { Icon::Pause })}
            <span>{move || if paused.get() { "Resume" } else { "Pause" }}</span>
        </button>
    }
}

const fn picture(tone: Tone) -> Icon {
    match tone {
        Tone::Good => Icon::Check,
        Tone::Busy => Icon::Hourglass,
        Tone::Paused => Icon::Pause,
        Tone::Warning => Icon::Unplugged,
        Tone::Bad => Icon::Warning,
    }
}

const fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Busy => "busy",
        Tone::Paused => "paused",
        Tone::Warning => "warning",
        Tone::Bad => "bad",
    }
}
