//! Moves a negotiation's messages and time, whatever the backend.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
    future::{BoxFuture, Either, select},
};
use futures_timer::Delay;
use web_time::Instant;

use crate::{
    Error,
    core::signalling::{Candidate, Description, Negotiation, Output},
    limits::SIGNALLING_GOODBYE,
};

/// A WebRTC implementation, as far as signalling needs it.
pub(crate) trait Agent {
    /// Makes the local description and sets it; candidates are found from then on.
    fn describe(&mut self) -> impl Future<Output = Result<String, Error>>;

    /// Sets the peer's description.
    fn set_remote(&mut self, description: &Description) -> impl Future<Output = Result<(), Error>>;

    /// Uses a candidate of the peer.
    fn add_candidate(&mut self, candidate: &Candidate) -> impl Future<Output = Result<(), Error>>;

    /// What happened. An error: the connection cannot come up any more.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<AgentEvent, Error>>;
}

/// What an [`Agent`] reports.
#[derive(Debug)]
pub(crate) enum AgentEvent {
    /// A local candidate, as an attribute.
    Candidate(String),
    /// The direct connection is up.
    Connected,
}

/// Carries a negotiation through until the direct connection is up.
pub(super) async fn drive<A, S>(
    mut negotiation: Negotiation,
    agent: &mut A,
    stream: &mut S,
) -> Result<(), Error>
where
    A: Agent,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = vec![0; 4096];
    let mut reading = true;
    loop {
        while let Some(output) = negotiation.poll_output() {
            let (limit, late) = (remaining(&negotiation), negotiation.on_timeout());
            let work = pin!(carry_out(output, &mut negotiation, agent, stream));
            match select(work, limit).await {
                Either::Left((result, _)) => result?,
                Either::Right(((), _)) => return Err(late.into()),
            }
        }
        let limit = remaining(&negotiation);
        let event = {
            let read = async {
                if reading {
                    stream.read(&mut buffer).await
                } else {
                    std::future::pending().await
                }
            };
            let (agent, read) = (pin!(poll_fn(|cx| agent.poll_event(cx))), pin!(read));
            match select(select(agent, read), limit).await {
                Either::Left((Either::Left((event, _)), _)) => Event::Agent(event?),
                Either::Left((Either::Right((read, _)), _)) => Event::Read(read.unwrap_or(0)),
                Either::Right(((), _)) => return Err(negotiation.on_timeout().into()),
            }
        };
        let now = Instant::now();
        match event {
            Event::Agent(AgentEvent::Connected) => return Ok(()),
            Event::Agent(AgentEvent::Candidate(attribute)) => {
                if let Err(error) = negotiation.on_local_candidate(&attribute) {
                    tracing::debug!(%error, "a local candidate is not used");
                }
            }
            Event::Read(0) => {
                reading = false;
                negotiation.on_end(now)?;
            }
            Event::Read(length) => {
                negotiation.on_bytes(buffer.get(..length).unwrap_or_default(), now)?;
            }
        }
    }
}

enum Event {
    Agent(AgentEvent),
    /// 0: the end, or an error.
    Read(usize),
}

fn remaining(negotiation: &Negotiation) -> Delay {
    let limit = negotiation.deadline().unwrap_or_else(Instant::now);
    Delay::new(limit.saturating_duration_since(Instant::now()))
}

async fn carry_out<A, S>(
    output: Output,
    negotiation: &mut Negotiation,
    agent: &mut A,
    stream: &mut S,
) -> Result<(), Error>
where
    A: Agent,
    S: AsyncWrite + Unpin,
{
    match output {
        Output::Describe => {
            let sdp = agent.describe().await?;
            negotiation.on_local_description(&sdp, Instant::now())
        }
        Output::SetRemote(description) => agent.set_remote(&description).await,
        Output::AddCandidate(candidate) => {
            // One that the implementation cannot use is no reason to give the others up.
            if let Err(error) = agent.add_candidate(&candidate).await {
                tracing::debug!(%error, "a candidate is not used");
            }
            Ok(())
        }
        Output::Send(bytes) => match write(stream, &bytes).await {
            Ok(()) => Ok(()),
            // The peer may be connected already, and through with signalling.
            Err(_) => negotiation.on_end(Instant::now()),
        },
    }
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &Bytes) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// Ends a signalling stream in good order: to drop it at once would reset it, which to the peer is a failure.
pub(crate) fn goodbye<S>(mut stream: S) -> BoxFuture<'static, ()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    Box::pin(async move {
        let end = pin!(async {
            if stream.close().await.is_err() {
                return;
            }
            let mut rest = [0; 1024];
            // Late candidates.
            while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
        });
        select(end, Delay::new(SIGNALLING_GOODBYE)).await;
    })
}

#[cfg(test)]
mod tests;
