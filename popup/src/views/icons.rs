//! Icons: strokes on a 16 by 16 grid, in the colour of the text beside them.

use leptos::prelude::*;

/// What there is an icon for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    /// The product.
    Anchor,
    /// Done, well.
    Check,
    /// A thing to be copied.
    Copy,
    /// Away with it.
    Cross,
    /// From end to end.
    Direct,
    /// Under way.
    Hourglass,
    /// Held.
    Pause,
    /// Run on.
    Play,
    /// By way of a third.
    Relayed,
    /// The network is gone.
    Unplugged,
    /// Not well.
    Warning,
}

impl Icon {
    const fn strokes(self) -> &'static str {
        match self {
            Icon::Anchor => {
                "M8 5.2V14M5.2 7.4h5.6M2.5 9.5c.3 2.7 2.5 4.5 5.5 4.5s5.2-1.8 5.5-4.5M8 5.2a1.6 1.6 0 1 0 0-3.2a1.6 1.6 0 0 0 0 3.2"
            }
            Icon::Check => "M3 8.5l3.4 3.4L13 5",
            Icon::Copy => "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
            Icon::Cross => "M4 4l8 8M12 4l-8 8",
            Icon::Direct => "M2.5 8h11M10 4.5L13.5 8L10 11.5",
            Icon::Hourglass => "M4 2h8M4 14h8M5 2v2.5L8 8l3-3.5V2M5 14v-2.5L8 8l3 3.5V14",
            Icon::Pause => "M5.5 3.5v9M10.5 3.5v9",
            Icon::Play => "M5 3.2v9.6L12.5 8z",
            Icon::Relayed => "M2 12c1.5-5.5 3.5-7 6-7s3.7 1.2 5 4M13.6 5.2L13 9L9.3 8.2M8 11.5v.01",
            Icon::Unplugged => {
                "M2 2l12 12M2.3 6.3A9 9 0 0 1 5 4.7M8 4a9 9 0 0 1 5.7 2.3M4.8 9.2A5 5 0 0 1 7.5 7.7M8 12.5v.01"
            }
            Icon::Warning => "M8 2.5L14.3 13.5H1.7zM8 6.5v3.2M8 11.7v.01",
        }
    }
}

/// The icon, as decoration: what it says is always said in words beside it or in its button's label.
pub fn icon(icon: Icon) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
            <path d=icon.strokes()></path>
        </svg>
    }
}
