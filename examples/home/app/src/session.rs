//! The connection to the program at home: made, used, and made again when it breaks.

use std::time::Duration;

use futures::{
    Stream, StreamExt,
    channel::mpsc::Receiver,
    future::{Either, select},
    pin_mut, stream,
};
use futures_timer::Delay;
use home_shared::{
    Answer, FrameError, Hello, Link, Listed, PROTOCOL, Refusal, Request, read, write,
};
use leptos::prelude::*;
use mooring_client::{Code, Descriptor, Error, ErrorCode, MooringStream, Node, connect};

use crate::state::{Command, Phase, State};

/// How long a call may take: a home line and a relay on the way, and a person who waits.
const CALL: Duration = Duration::from_secs(15);
/// How long to wait before another try: a program that is being restarted is there within seconds.
const RETRY: Duration = Duration::from_secs(1);

/// Why the session ended.
enum Ended {
    /// Another try may help.
    Again(String),
    /// It will not, until the user does something.
    Stop(String),
    /// The user wants to go elsewhere.
    Elsewhere(Link),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        match error.code() {
            Code::NotInstalled => Ended::Stop(
                "The Mooring extension does not answer. Is it installed, and switched on?"
                    .to_owned(),
            ),
            Code::NotAllowed
            | Code::Node(ErrorCode::UserRejected | ErrorCode::BadAddress | ErrorCode::Refused) => {
                Ended::Stop(error.to_string())
            }
            _ => Ended::Again(error.to_string()),
        }
    }
}

impl From<FrameError> for Ended {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Io(_) => Ended::Again(error.to_string()),
            FrameError::TooLong(_) | FrameError::NotUnderstood(_) => {
                Ended::Stop(Refusal::NotUnderstood.to_string())
            }
        }
    }
}

impl From<Refusal> for Ended {
    fn from(refusal: Refusal) -> Self {
        Ended::Stop(refusal.to_string())
    }
}

/// Does what the user wants, for as long as the page is open.
pub async fn run(state: State, mut wanted: Receiver<Command>) {
    let mut to = None;
    loop {
        let Some(link) = &to else {
            match wanted.next().await {
                Some(Command::Link(link)) => to = Some(link),
                Some(_) => not_connected(state),
                None => return,
            }
            continue;
        };
        state.phase.set(Phase::Connecting);
        match visit(state, link, &mut wanted).await {
            Ended::Elsewhere(link) => {
                state.show(None);
                state.notes.set(Vec::new());
                to = Some(link);
            }
            Ended::Stop(why) => {
                state.phase.set(Phase::Stopped(why));
                to = None;
            }
            Ended::Again(why) => {
                state.phase.set(Phase::Away(why));
                match select(wanted.next(), Delay::new(RETRY)).await {
                    Either::Left((Some(Command::Link(link)), _)) => to = Some(link),
                    Either::Left((Some(_), _)) => not_connected(state),
                    Either::Left((None, _)) => return,
                    Either::Right(_) => {}
                }
            }
        }
    }
}

fn not_connected(state: State) {
    state
        .problem
        .set(Some("not connected: nothing was done".to_owned()));
}

async fn visit(state: State, link: &Link, wanted: &mut Receiver<Command>) -> Ended {
    match visiting(state, link, wanted).await {
        Ok(ended) | Err(ended) => ended,
    }
}

async fn visiting(
    state: State,
    link: &Link,
    wanted: &mut Receiver<Command>,
) -> Result<Ended, Ended> {
    let node = connect().await?;
    node.permissions()
        .request(&[
            Descriptor::Dial {
                private_network: link.is_private(),
            },
            Descriptor::Streams {
                protocols: vec![PROTOCOL.to_owned()],
            },
        ])
        .await?;
    let node = node.with_timeout(CALL);
    let peer = node.dial(link.address.as_str()).await?.peer_id;
    let mut calls = open(&node, &peer, link).await?;
    let mut watching = open(&node, &peer, link).await?;
    write(&mut watching, &Request::Watch).await?;
    let lists = lists(watching);
    pin_mut!(lists);
    loop {
        match select(wanted.next(), lists.next()).await {
            Either::Left((Some(Command::Link(link)), _)) => return Ok(Ended::Elsewhere(link)),
            Either::Left((Some(command), _)) => obey(state, &mut calls, command).await?,
            Either::Left((None, _)) => return Ok(Ended::Stop(String::new())),
            Either::Right((Some(list), _)) => {
                state.notes.set(list?);
                state.phase.set(Phase::Connected);
                look_again(state, &mut calls).await?;
            }
            Either::Right((None, _)) => return Ok(Ended::Again("the connection ended".to_owned())),
        }
    }
}

async fn open(node: &Node, peer: &str, link: &Link) -> Result<MooringStream, Ended> {
    let mut stream = node.open_stream(peer, &[PROTOCOL]).await?;
    let key = link.key.clone();
    write(&mut stream, &Hello { key }).await?;
    Ok(stream)
}

/// The lists as they come. Unlike a single read it may be left waiting and be looked at again.
fn lists(watching: MooringStream) -> impl Stream<Item = Result<Vec<Listed>, Ended>> {
    stream::unfold(Some(watching), |watching| async {
        let mut watching = watching?;
        match read(&mut watching).await {
            Ok(Answer::Notes { notes }) => Some((Ok(notes), Some(watching))),
            Ok(Answer::Refused { why }) => Some((Err(why.into()), None)),
            Ok(_) => Some((Err(Refusal::NotUnderstood.into()), None)),
            Err(error) => Some((Err(error.into()), None)),
        }
    })
}

/// Asks, and waits for the answer.
async fn ask(calls: &mut MooringStream, request: Request) -> Result<Answer, Ended> {
    let asking = async {
        write(calls, &request).await?;
        Ok(read(calls).await?)
    };
    pin_mut!(asking);
    match select(asking, Delay::new(CALL)).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => Err(Ended::Again("home does not answer".to_owned())),
    }
}

async fn obey(state: State, calls: &mut MooringStream, command: Command) -> Result<(), Ended> {
    let request = match command {
        Command::Link(_) => return Ok(()),
        Command::Open(name) => Request::Read { name },
        Command::Save { name, text, base } => Request::Write { name, text, base },
        Command::Remove { name, base } => Request::Remove { name, base },
    };
    let saved = match &request {
        Request::Write { text, base, .. } => base.is_some().then(|| text.clone()),
        _ => None,
    };
    match ask(calls, request).await? {
        Answer::Note(note) => match saved {
            // The user may have gone on writing.
            Some(_) => {
                state.theirs.set(None);
                state.open.set(Some(note));
            }
            None => state.show(Some(note)),
        },
        Answer::Removed => state.show(None),
        Answer::Refused { why } => {
            state.problem.set(Some(why.to_string()));
            if why == Refusal::Changed {
                look_again(state, calls).await?;
            }
        }
        Answer::Notes { .. } => return Err(Refusal::NotUnderstood.into()),
    }
    Ok(())
}

/// Something changed at home: perhaps the note that is open.
async fn look_again(state: State, calls: &mut MooringStream) -> Result<(), Ended> {
    let Some(name) = state
        .open
        .with_untracked(|open| open.as_ref().map(|open| open.name.clone()))
    else {
        return Ok(());
    };
    match ask(calls, Request::Read { name }).await? {
        Answer::Note(note) => state.changed_at_home(note),
        Answer::Refused { why } => state.problem.set(Some(why.to_string())),
        _ => return Err(Refusal::NotUnderstood.into()),
    }
    Ok(())
}
