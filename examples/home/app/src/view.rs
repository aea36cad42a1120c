//! What is on the page.

use leptos::{html, prelude::*};

use crate::state::{Command, Phase, State};

/// All of it.
pub fn page(state: State) -> impl IntoView {
    view! {
        <header>
            <div class="mark" aria-hidden="true">"⌂"</div>
            <div class="title">
                <h1>"Notes at home"</h1>
                {move || status(&state.phase.get())}
            </div>
        </header>
        <main>
            {move || stopped(state)}
            {move || state.problem.get().map(|problem| view! { <p class="problem" role="alert" data-testid="problem">{problem}</p> })}
            <Show when=move || !matches!(state.phase.get(), Phase::Unlinked)>
                <div class="desk">{list(state)} {editor(state)}</div>
            </Show>
        </main>
    }
}

fn status(phase: &Phase) -> impl IntoView + use<> {
    let (class, text) = match phase {
        Phase::Unlinked => ("idle", "Not linked yet".to_owned()),
        Phase::Connecting => ("busy", "Connecting…".to_owned()),
        Phase::Connected => ("good", "Connected".to_owned()),
        Phase::Away(why) => ("busy", format!("Home is away, trying again: {why}")),
        Phase::Stopped(_) => ("bad", "Not connected".to_owned()),
    };
    view! { <p class=format!("status {class}") role="status" data-testid="status" data-phase=class>{text}</p> }
}

/// What only the user can do something about: there is no link, or it does not work.
fn stopped(state: State) -> Option<impl IntoView> {
    let why = match state.phase.get() {
        Phase::Unlinked => None,
        Phase::Stopped(why) => Some(why),
        _ => return None,
    };
    let input = NodeRef::<html::Input>::new();
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if let Some(input) = input.get_untracked() {
            state.link(&input.value());
        }
    };
    Some(view! {
        <form class="card link" on:submit=submit>
            {why.map(|why| view! { <p class="problem" data-testid="why">{why}</p> })}
            <label for="link">"The link that the program at home printed"</label>
            <p class="hint">"Start " <code>"home-server"</code> " on the machine that has your notes, and paste one of its lines. It stays in this browser, and its key goes to that program alone."</p>
            <div class="line">
                <input node_ref=input id="link" data-testid="link" type="text" autocomplete="off" spellcheck="false" placeholder="/ip4/…/p2p/…#…" />
                <button type="submit" class="primary" data-testid="connect">"Connect"</button>
            </div>
        </form>
    })
}

fn list(state: State) -> impl IntoView {
    let input = NodeRef::<html::Input>::new();
    let create = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if let Some(input) = input.get_untracked() {
            let name = input.value().trim().to_owned();
            input.set_value("");
            state.send(Command::Save {
                name,
                text: String::new(),
                base: None,
            });
        }
    };
    let connected = move || state.phase.get() == Phase::Connected;
    view! {
        <nav class="card" aria-label="Notes">
            <form class="line" on:submit=create>
                <input node_ref=input type="text" data-testid="new-name" aria-label="Name of a new note" placeholder="New note" maxlength="100" autocomplete="off" />
                <button type="submit" data-testid="new" disabled=move || !connected()>"Add"</button>
            </form>
            <ul data-testid="notes">
                <For each=move || state.notes.get() key=|note| (note.name.clone(), note.written, note.bytes) let:note>
                    <Entry state name=note.name bytes=note.bytes />
                </For>
            </ul>
            <Show when=move || connected() && state.notes.with(Vec::is_empty)>
                <p class="hint">"The folder is empty. Add a note, or put a .txt file there."</p>
            </Show>
        </nav>
    }
}

#[component]
fn Entry(state: State, name: String, bytes: u64) -> impl IntoView {
    let own = name.clone();
    let current = move || {
        state
            .open
            .with(|open| open.as_ref().is_some_and(|open| open.name == own))
    };
    let open = {
        let name = name.clone();
        move |_| state.send(Command::Open(name.clone()))
    };
    let size = if bytes < 1024 {
        format!("{bytes} B")
    } else {
        format!("{} KiB", bytes / 1024)
    };
    view! {
        <li>
            <button type="button" class="entry" data-name=name.clone() aria-current=move || current().then_some("true") on:click=open>
                <span class="name">{name.clone()}</span>
                <span class="size">{size}</span>
            </button>
        </li>
    }
}

fn editor(state: State) -> impl IntoView {
    let name = move || {
        state
            .open
            .with(|open| open.as_ref().map(|open| open.name.clone()))
    };
    let connected = move || state.phase.get() == Phase::Connected;
    // Over what the user knows, or has decided against.
    let save = move |_| {
        let known = state
            .theirs
            .get_untracked()
            .or_else(|| state.open.get_untracked());
        if let Some(known) = known {
            state.send(Command::Save {
                name: known.name,
                text: state.draft.get_untracked(),
                base: Some(known.revision),
            });
        }
    };
    let remove = move |_| {
        if let Some(open) = state.open.get_untracked() {
            state.send(Command::Remove {
                name: open.name,
                base: open.revision,
            });
        }
    };
    let saved = move || {
        if state.is_dirty() {
            "not saved yet"
        } else {
            "as it is at home"
        }
    };
    view! {
        <section class="card editor" aria-label="Note">
            <Show when=move || name().is_some() fallback=|| view! { <p class="hint middle">"Choose a note."</p> }>
                <div class="line">
                    <h2 data-testid="name">{name}</h2>
                    <span class="hint" data-testid="saved">{saved}</span>
                </div>
                {move || {
                    state.theirs.get().map(|theirs| {
                        view! {
                            <div class="theirs" role="alert" data-testid="theirs">
                                <p>"This note was changed at home while you were writing."</p>
                                <button type="button" data-testid="take-theirs" on:click=move |_| state.show(Some(theirs.clone()))>"Show theirs"</button>
                                <button type="button" data-testid="keep-mine" disabled=move || !connected() on:click=save>"Save mine over it"</button>
                            </div>
                        }
                    })
                }}
                <textarea
                    data-testid="text"
                    aria-label="Text"
                    spellcheck="false"
                    prop:value=move || state.draft.get()
                    on:input:target=move |event| state.draft.set(event.target().value())
                ></textarea>
                <div class="line">
                    <button type="button" class="primary" data-testid="save" disabled=move || !connected() || !state.is_dirty() || state.theirs.with(Option::is_some) on:click=save>"Save"</button>
                    <button type="button" data-testid="remove" disabled=move || !connected() on:click=remove>"Remove"</button>
                </div>
            </Show>
        </section>
    }
}
