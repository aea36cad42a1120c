//! Who says what when. One [`Negotiation`] is one side of one attempt.
//!
//! It does no I/O and knows no clock. A backend feeds it what happens and carries out what it says:
//!
//! | what happened | call |
//! |---|---|
//! | bytes arrived on the signalling stream | [`Negotiation::on_bytes`] |
//! | it ended, or failed | [`Negotiation::on_end`] |
//! | the local description was made and set | [`Negotiation::on_local_description`] |
//! | a local candidate was found | [`Negotiation::on_local_candidate`] |
//! | [`Negotiation::deadline`] passed | [`Negotiation::on_timeout`] |
//!
//! After every call: take [`Negotiation::poll_output`] until `None` and carry it out in that order. An error ends the
//! attempt: reset the stream and close the connection. When the connection is up, the attempt has succeeded, whatever the stream does.
//!
//! ```text
//! dialer:   Describe ─▶ send offer ─▶ answer arrives ─▶ SetRemote ─▶ candidates, both ways
//! listener: offer arrives ─▶ SetRemote, Describe ─▶ send answer ─▶ candidates, both ways
//! ```

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use libp2p_identity::PeerId;
use web_time::Instant;

use super::{
    Candidate, Description, Policy, SignallingError,
    description::Setup,
    message::{Decoder, Kind, Message},
};
use crate::{
    Error,
    limits::{
        MAX_SIGNALLED_CANDIDATES, MAX_SIGNALLING_MESSAGES, SIGNALLING_CONNECT_TIMEOUT,
        SIGNALLING_DESCRIPTION_TIMEOUT, SIGNALLING_END_GRACE,
    },
};

/// Which side this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It offers.
    Dialer,
    /// It answers.
    Listener,
}

/// What a backend has to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Make the local description, set it, and report it.
    Describe,
    /// Write this to the stream.
    Send(Bytes),
    /// Set the peer's description: a listener's is the answer, a dialer's the offer. It holds no candidates.
    SetRemote(Description),
    /// Use this candidate of the peer. Only given after [`Output::SetRemote`].
    AddCandidate(Candidate),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The listener waits for the offer.
    Offer,
    /// The local description is being made.
    Describing,
    /// The dialer waits for the answer.
    Answer,
    /// Candidates go both ways.
    Candidates,
}

/// One side of one attempt. See the [module](self).
#[derive(Debug)]
pub struct Negotiation {
    role: Role,
    phase: Phase,
    peer: PeerId,
    policy: Arc<dyn Policy>,
    decoder: Decoder,
    messages: usize,
    /// Usable candidates taken from the peer.
    received: Vec<Candidate>,
    /// Local ones, as many as were told.
    sent: Vec<Candidate>,
    /// Found before our description was sent.
    early: Vec<Candidate>,
    /// Name of the section and our ufrag, once described.
    local: Option<(String, String)>,
    outputs: VecDeque<Output>,
    deadline: Option<Instant>,
}

impl Negotiation {
    /// Begins an attempt with the peer that the relayed connection has authenticated.
    pub fn new(role: Role, peer: PeerId, policy: Arc<dyn Policy>, now: Instant) -> Self {
        let (phase, first) = match role {
            Role::Dialer => (Phase::Describing, Some(Output::Describe)),
            Role::Listener => (Phase::Offer, None),
        };
        Self {
            role,
            phase,
            peer,
            policy,
            decoder: Decoder::default(),
            messages: 0,
            received: Vec::new(),
            sent: Vec::new(),
            early: Vec::new(),
            local: None,
            outputs: first.into_iter().collect(),
            deadline: now.checked_add(SIGNALLING_DESCRIPTION_TIMEOUT),
        }
    }

    /// What to do next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Negotiation::on_timeout`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The deadline has passed: says what was waited for in vain.
    pub fn on_timeout(&self) -> SignallingError {
        match self.phase {
            Phase::Candidates => SignallingError::NoPath,
            Phase::Offer | Phase::Describing | Phase::Answer => SignallingError::NoDescription,
        }
    }

    /// Bytes arrived on the stream.
    ///
    /// # Errors
    /// What the peer did wrong.
    pub fn on_bytes(&mut self, bytes: &[u8], now: Instant) -> Result<(), Error> {
        self.decoder.push(bytes);
        while let Some(message) = self.decoder.next_message()? {
            self.messages = self.messages.saturating_add(1);
            if self.messages > MAX_SIGNALLING_MESSAGES {
                return Err(SignallingError::TooManyMessages.into());
            }
            self.on_message(message, now)?;
        }
        Ok(())
    }

    /// The peer ended the stream, in order or not. Once candidates are exchanged, a peer does so when it is connected,
    /// which we may learn a moment later.
    ///
    /// # Errors
    /// `Ended`, when something was still to come.
    pub fn on_end(&mut self, now: Instant) -> Result<(), Error> {
        if self.phase != Phase::Candidates {
            return Err(SignallingError::Ended.into());
        }
        let grace = now.checked_add(SIGNALLING_END_GRACE);
        self.deadline = [self.deadline, grace].into_iter().flatten().min();
        Ok(())
    }

    /// The local description was made and set. What is sent of it are its typed fields; candidates follow it.
    ///
    /// # Errors
    /// When it cannot be read: an error of the backend.
    pub fn on_local_description(&mut self, sdp: &str, now: Instant) -> Result<(), Error> {
        if self.phase != Phase::Describing {
            return Ok(());
        }
        let mut description = Description::parse(sdp)?;
        let candidates = std::mem::take(&mut description.candidates);
        let kind = match self.role {
            Role::Dialer => Kind::Offer,
            Role::Listener => Kind::Answer,
        };
        self.send(kind, description.to_sdp())?;
        self.local = Some((description.mid, description.ufrag));
        match self.role {
            Role::Dialer => self.phase = Phase::Answer,
            Role::Listener => self.exchange_candidates(now),
        }
        let early = std::mem::take(&mut self.early);
        for candidate in early.into_iter().chain(candidates) {
            self.tell(candidate)?;
        }
        Ok(())
    }

    /// A local candidate was found: the attribute as the backend writes it.
    ///
    /// # Errors
    /// When it cannot be read: an error of the backend.
    pub fn on_local_candidate(&mut self, attribute: &str) -> Result<(), Error> {
        match Candidate::parse(attribute)? {
            Some(candidate) => self.tell(candidate),
            None => Ok(()),
        }
    }

    fn tell(&mut self, candidate: Candidate) -> Result<(), Error> {
        let Some((mid, ufrag)) = &self.local else {
            if self.early.len() < MAX_SIGNALLED_CANDIDATES {
                self.early.push(candidate);
            }
            return Ok(());
        };
        let told = self.sent.len() >= MAX_SIGNALLED_CANDIDATES || self.sent.contains(&candidate);
        if told || !self.policy.allows(&self.peer, &candidate.address) {
            return Ok(());
        }
        let json = candidate.to_json(mid, ufrag);
        self.sent.push(candidate);
        self.send(Kind::Candidate, json)
    }

    fn send(&mut self, kind: Kind, data: String) -> Result<(), Error> {
        let bytes = Message { kind, data }.encode()?;
        self.outputs.push_back(Output::Send(bytes));
        Ok(())
    }

    fn on_message(&mut self, message: Message, now: Instant) -> Result<(), Error> {
        match (self.phase, message.kind) {
            (Phase::Offer, Kind::Offer) => {
                let offer = Description::parse(&message.data)?;
                self.describe_remote(offer);
                self.outputs.push_back(Output::Describe);
                self.phase = Phase::Describing;
                self.deadline = now.checked_add(SIGNALLING_DESCRIPTION_TIMEOUT);
            }
            (Phase::Answer, Kind::Answer) => {
                let answer = Description::parse(&message.data)?;
                if answer.setup == Setup::Either {
                    return Err(Error::Sdp(
                        "an answer has to say who opens the DTLS session",
                    ));
                }
                if self
                    .local
                    .as_ref()
                    .is_some_and(|(mid, _)| *mid != answer.mid)
                {
                    return Err(Error::Sdp("the answer is to another offer"));
                }
                self.describe_remote(answer);
                self.exchange_candidates(now);
            }
            // The dialer finds its candidates while the listener makes its answer.
            (Phase::Candidates, Kind::Candidate) | (Phase::Describing, Kind::Candidate)
                if self.phase == Phase::Candidates || self.role == Role::Listener =>
            {
                if let Some(candidate) = Candidate::from_json(&message.data)? {
                    self.take(candidate);
                }
            }
            _ => return Err(SignallingError::OutOfTurn.into()),
        }
        Ok(())
    }

    fn describe_remote(&mut self, mut description: Description) {
        let candidates = std::mem::take(&mut description.candidates);
        self.outputs.push_back(Output::SetRemote(description));
        for candidate in candidates {
            self.take(candidate);
        }
    }

    fn exchange_candidates(&mut self, now: Instant) {
        self.phase = Phase::Candidates;
        self.deadline = now.checked_add(SIGNALLING_CONNECT_TIMEOUT);
    }

    fn take(&mut self, candidate: Candidate) {
        let enough = self.received.len() >= MAX_SIGNALLED_CANDIDATES;
        if enough || self.received.contains(&candidate) {
            return;
        }
        if self.policy.allows(&self.peer, &candidate.address) {
            self.received.push(candidate.clone());
            self.outputs.push_back(Output::AddCandidate(candidate));
        } else {
            tracing::debug!(peer = %self.peer, kind = ?candidate.kind, "a candidate is not allowed");
        }
    }
}

#[cfg(test)]
mod tests;
