//! One stream of a page.

use std::{sync::Arc, time::Duration};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, io::ReadHalf};
use home_shared::{Answer, FrameError, Hello, Refusal, Request, read, read_or_end, write};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::{folder::Folder, key};

/// How long a stranger may take to say who it is.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a folder that somebody watches is looked at: soon enough for a person, and nothing for the disk.
const LOOK: Duration = Duration::from_millis(500);

/// The folder, and who may see it.
pub struct Home {
    pub folder: Folder,
    pub key: String,
}

impl Home {
    /// Serves a stream to its end.
    ///
    /// # Errors
    /// When it breaks, or its page does not keep to the protocol.
    pub async fn serve(
        self: &Arc<Self>,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
    ) -> Result<(), FrameError> {
        match timeout(HELLO_TIMEOUT, read::<Hello>(&mut stream)).await {
            Ok(Ok(hello)) if key::same(&hello.key, &self.key) => {}
            Ok(Ok(_)) => return refuse(stream, Refusal::WrongKey).await,
            Ok(Err(FrameError::Io(error))) => return Err(error.into()),
            Ok(Err(_)) => return refuse(stream, Refusal::NotUnderstood).await,
            // Dropped, which resets it.
            Err(_) => return Ok(()),
        }
        loop {
            match read_or_end(&mut stream).await {
                Ok(Some(Request::Watch)) => return self.watch(stream).await,
                Ok(Some(request)) => {
                    let home = Arc::clone(self);
                    // Disks may take their time.
                    let answer = tokio::task::spawn_blocking(move || home.answer(request)).await;
                    let why = || Refusal::Disk("the program failed".to_owned());
                    let answer = answer.unwrap_or_else(|_| Answer::Refused { why: why() });
                    write(&mut stream, &answer).await?;
                }
                Ok(None) => break,
                Err(FrameError::Io(error)) => return Err(error.into()),
                Err(_) => return refuse(stream, Refusal::NotUnderstood).await,
            }
        }
        stream.close().await?;
        Ok(())
    }

    fn answer(&self, request: Request) -> Answer {
        let folder = &self.folder;
        let answer = match request {
            Request::Watch => folder.list().map(|notes| Answer::Notes { notes }),
            Request::Read { name } => folder.read(&name).map(Answer::Note),
            Request::Write { name, text, base } => {
                folder.write(&name, text, base.as_deref()).map(Answer::Note)
            }
            Request::Remove { name, base } => folder.remove(&name, &base).map(|()| Answer::Removed),
        };
        answer.unwrap_or_else(|why| Answer::Refused { why })
    }

    /// Tells the list whenever it is another one, until the page ends the stream.
    async fn watch(
        self: &Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Unpin,
    ) -> Result<(), FrameError> {
        let (mut from, mut to) = stream.split();
        let mut told = None;
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let telling = async {
            loop {
                look.tick().await;
                let home = Arc::clone(self);
                let Ok(now) =
                    tokio::task::spawn_blocking(move || home.answer(Request::Watch)).await
                else {
                    return Ok(());
                };
                if told.as_ref() != Some(&now) {
                    write(&mut to, &now).await?;
                    told = Some(now);
                }
            }
        };
        tokio::select! {
            ended = end_of(&mut from) => ended,
            outcome = telling => outcome,
        }
    }
}

/// Waits for the end: there is nothing more that a page could say.
async fn end_of(from: &mut ReadHalf<impl AsyncRead + Unpin>) -> Result<(), FrameError> {
    let mut one = [0];
    // One that says something more is as much at its end as one that is.
    let _read = from.read(&mut one).await?;
    Ok(())
}

async fn refuse(mut stream: impl AsyncWrite + Unpin, why: Refusal) -> Result<(), FrameError> {
    write(&mut stream, &Answer::Refused { why }).await?;
    stream.close().await?;
    Ok(())
}
