//! Drives signalling over pipes, with agents that only write down what they are told, against peers that do not keep to it.

use std::{sync::Arc, time::Duration};

use futures::{executor::block_on, future::join};
use libp2p_identity::PeerId;

use super::*;
use crate::core::{
    pipe::{Pipe, pipe},
    signalling::{
        AllowAll, Role, SignallingError,
        message::{Kind, Message},
    },
};

const SDP: &str = "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n\
    a=ice-ufrag:Xy+/\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n\
    a=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:FF\r\n\
    a=setup:actpass\r\na=sctp-port:5000\r\n";

/// Connects when it knows the peer's description and one candidate.
#[derive(Default)]
struct Scripted {
    dialer: bool,
    told: bool,
    remote: Option<Description>,
    candidates: Vec<Candidate>,
}

impl Agent for Scripted {
    async fn describe(&mut self) -> Result<String, Error> {
        Ok(match self.dialer {
            true => SDP.to_owned(),
            false => SDP.replace("actpass", "active"),
        })
    }

    async fn set_remote(&mut self, description: &Description) -> Result<(), Error> {
        self.remote = Some(description.clone());
        Ok(())
    }

    async fn add_candidate(&mut self, candidate: &Candidate) -> Result<(), Error> {
        self.candidates.push(candidate.clone());
        Ok(())
    }

    fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<Result<AgentEvent, Error>> {
        if !std::mem::replace(&mut self.told, true) {
            let text = "candidate:1 1 udp 5 203.0.113.7 9 typ host";
            return Poll::Ready(Ok(AgentEvent::Candidate(text.to_owned())));
        }
        if self.remote.is_some() && !self.candidates.is_empty() {
            return Poll::Ready(Ok(AgentEvent::Connected));
        }
        Poll::Pending
    }
}

async fn run(role: Role, stream: &mut Pipe) -> Result<(), Error> {
    let mut agent = Scripted {
        dialer: role == Role::Dialer,
        ..Scripted::default()
    };
    let policy = Arc::new(AllowAll);
    let negotiation = Negotiation::new(role, PeerId::random(), policy, Instant::now());
    drive(negotiation, &mut agent, stream).await
}

fn message(kind: Kind, data: &str) -> Bytes {
    let data = data.to_owned();
    Message { kind, data }.encode().unwrap()
}

/// What one side concludes when the peer sends this and then ends the stream, or says nothing more.
fn against(role: Role, bytes: &[u8], end: bool) -> (Error, Duration) {
    let (mut ours, mut theirs) = pipe();
    let started = Instant::now();
    let result = block_on(async {
        theirs.write_all(bytes).await.unwrap();
        if end {
            theirs.close().await.unwrap();
        }
        run(role, &mut ours).await
    });
    (result.unwrap_err(), started.elapsed())
}

#[test]
fn two_sides_connect() {
    let (mut a, mut b) = pipe();
    let (dialed, listened) = block_on(join(
        async {
            let done = run(Role::Dialer, &mut a).await;
            goodbye(a).await;
            done
        },
        async {
            let done = run(Role::Listener, &mut b).await;
            goodbye(b).await;
            done
        },
    ));
    dialed.unwrap();
    listened.unwrap();
}

#[test]
fn a_peer_that_breaks_the_protocol_is_dropped_at_once() {
    let soon = Duration::from_secs(2);
    let candidate = message(
        Kind::Candidate,
        r#"{"candidate":"candidate:1 1 tcp 5 10.0.0.1 9 typ host"}"#,
    );
    let offer = message(Kind::Offer, SDP);
    let flood = [offer.to_vec(), candidate.repeat(10_000)].concat();
    for (role, bytes, end) in [
        (
            Role::Listener,
            "GET / HTTP/1.1\r\n".repeat(9).as_bytes(),
            false,
        ),
        (Role::Listener, &message(Kind::Offer, "nonsense"), false),
        (Role::Listener, &candidate, false),
        (Role::Listener, b"", true),
        (Role::Listener, &flood, false),
        (Role::Dialer, &candidate, false),
        (Role::Dialer, &message(Kind::Answer, SDP), false),
        (Role::Dialer, b"", true),
        (Role::Dialer, &[0xff; 64], false),
    ] {
        let (error, took) = against(role, bytes, end);
        assert!(
            matches!(error, Error::Signalling(_) | Error::Sdp(_)),
            "{error}"
        );
        assert!(took < soon, "{role:?} {error} {took:?}");
    }
}

#[test]
fn an_answer_that_never_comes_and_a_path_that_is_not_there_end_in_time() {
    let waits = [
        (Role::Dialer, Bytes::new(), SignallingError::NoDescription),
        (Role::Listener, Bytes::new(), SignallingError::NoDescription),
        (
            Role::Dialer,
            message(Kind::Answer, &SDP.replace("actpass", "active")),
            SignallingError::NoPath,
        ),
    ];
    std::thread::scope(|scope| {
        for (role, bytes, expected) in &waits {
            scope.spawn(move || {
                let (error, took) = against(*role, bytes, false);
                assert!(
                    matches!(error, Error::Signalling(found) if found == *expected),
                    "{error}"
                );
                assert!(took < Duration::from_secs(20), "{took:?}");
            });
        }
    });
}

#[test]
fn a_stream_that_ends_before_a_path_is_found_ends_the_attempt_soon() {
    let answer = message(Kind::Answer, &SDP.replace("actpass", "active"));
    let (error, took) = against(Role::Dialer, &answer, true);
    assert!(matches!(error, Error::Signalling(SignallingError::NoPath)));
    assert!(took < Duration::from_secs(6), "{took:?}");
}
