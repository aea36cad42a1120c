//! A button that copies.

use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::icons::{Icon, icon};
use crate::{error::Error, limits::COPIED_MS};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copied {
    No,
    Yes,
    Failed,
}

/// A button that copies what `text` gives at the time of the click. `label` says what that is, for those who do not
/// see the icon.
pub fn button(label: &'static str, text: impl Fn() -> String + 'static) -> impl IntoView {
    let copied = RwSignal::new(Copied::No);
    let click = move |_| {
        let text = text();
        leptos::task::spawn_local(async move {
            let now = match write(&text).await {
                Ok(()) => Copied::Yes,
                Err(_) => Copied::Failed,
            };
            // The row may be gone by now, and the signal with it.
            copied.try_set(now);
            set_timeout(
                move || {
                    copied.try_set(Copied::No);
                },
                Duration::from_millis(COPIED_MS),
            );
        });
    };
    view! {
        <button type="button" class="icon-button copy" title=label aria-label=label on:click=click>
            {move || {
                icon(match copied.get() {
                    Copied::No => Icon::Copy,
                    Copied::Yes => Icon::Check,
                    Copied::Failed => Icon::Cross,
                })
            }}
            <span class="copied" role="status">
                {move || match copied.get() {
                    Copied::No => "",
                    Copied::Yes => "Copied",
                    Copied::Failed => "Not copied",
                }}
            </span>
        </button>
    }
}

async fn write(text: &str) -> Result<(), Error> {
    let written = window().navigator().clipboard().write_text(text);
    JsFuture::from(written)
        .await
        .map(|_| ())
        .map_err(|_| Error::Clipboard)
}
