use std::{net::IpAddr, time::Duration};

use proptest::prelude::*;

use super::super::{AllowAll, candidate::Address, description::tests::CHROMIUM};
use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// As a node without a grant: global addresses only.
#[derive(Debug)]
struct GlobalOnly;

impl Policy for GlobalOnly {
    fn allows(&self, _: &PeerId, address: &Address) -> bool {
        matches!(address, Address::Ip(IpAddr::V4(ip)) if !ip.is_private() && !ip.is_loopback())
    }
}

fn new(role: Role) -> Negotiation {
    Negotiation::new(role, PeerId::random(), Arc::new(AllowAll), Instant::now())
}

fn guarded(role: Role) -> Negotiation {
    Negotiation::new(role, PeerId::random(), Arc::new(GlobalOnly), Instant::now())
}

fn bytes(kind: Kind, data: &str) -> Bytes {
    let data = data.to_owned();
    Message { kind, data }.encode().unwrap()
}

fn candidate(address: &str, port: u16) -> String {
    let text = format!("candidate:1 1 udp 5 {address} {port} typ host");
    Candidate::parse(&text)
        .unwrap()
        .unwrap()
        .to_json("0", "Xy+/")
}

fn answer() -> String {
    CHROMIUM.replace("actpass", "active")
}

fn outputs(negotiation: &mut Negotiation) -> Vec<Output> {
    std::iter::from_fn(|| negotiation.poll_output()).collect()
}

/// What a message says.
fn read(output: &Output) -> Message {
    let Output::Send(bytes) = output else {
        panic!("{output:?} is no message")
    };
    let mut decoder = Decoder::default();
    decoder.push(bytes);
    decoder.next_message().unwrap().unwrap()
}

/// A dialer whose offer is out.
fn dialer(policy: Arc<dyn Policy>) -> Negotiation {
    let mut dialer = Negotiation::new(Role::Dialer, PeerId::random(), policy, Instant::now());
    assert_eq!(outputs(&mut dialer), [Output::Describe]);
    dialer
        .on_local_description(CHROMIUM, Instant::now())
        .unwrap();
    assert_eq!(read(&outputs(&mut dialer)[0]).kind, Kind::Offer);
    dialer
}

/// A listener that has sent its answer.
fn listener(policy: Arc<dyn Policy>) -> Negotiation {
    let now = Instant::now();
    let mut listener = Negotiation::new(Role::Listener, PeerId::random(), policy, now);
    listener
        .on_bytes(&bytes(Kind::Offer, CHROMIUM), now)
        .unwrap();
    listener.on_local_description(&answer(), now).unwrap();
    let done = outputs(&mut listener);
    assert!(matches!(done[0], Output::SetRemote(_)));
    assert_eq!(done[1], Output::Describe);
    assert_eq!(read(&done[2]).kind, Kind::Answer);
    listener
}

#[test]
fn two_sides_exchange_descriptions_and_candidates() {
    let now = Instant::now();
    let (mut a, mut b) = (new(Role::Dialer), new(Role::Listener));
    let (mut described_a, mut described_b) = (None, None);
    let (mut at_a, mut at_b) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        for output in outputs(&mut a) {
            match output {
                Output::Describe => {
                    a.on_local_candidate("candidate:1 1 udp 5 10.0.0.1 9 typ host")
                        .unwrap();
                    a.on_local_description(CHROMIUM, now).unwrap();
                }
                Output::Send(bytes) => b.on_bytes(&bytes, now).unwrap(),
                Output::SetRemote(description) => described_a = Some(description),
                Output::AddCandidate(candidate) => at_a.push(candidate.address.to_string()),
            }
        }
        for output in outputs(&mut b) {
            match output {
                Output::Describe => {
                    b.on_local_description(&answer(), now).unwrap();
                    b.on_local_candidate("candidate:1 1 udp 5 x.local 9 typ host")
                        .unwrap();
                }
                Output::Send(bytes) => a.on_bytes(&bytes, now).unwrap(),
                Output::SetRemote(description) => described_b = Some(description),
                Output::AddCandidate(candidate) => at_b.push(candidate.address.to_string()),
            }
        }
    }
    assert_eq!(described_a.unwrap().setup, Setup::Active);
    assert_eq!(described_b.unwrap().setup, Setup::Either);
    assert_eq!(
        (at_a, at_b),
        (vec!["x.local".to_owned()], vec!["10.0.0.1".to_owned()])
    );
    // Both may end the stream now, and the other side goes on for a moment.
    a.on_end(now).unwrap();
    assert!(a.deadline().unwrap() <= now + SIGNALLING_END_GRACE);
}

#[test]
fn private_candidates_are_neither_used_nor_told() {
    let now = Instant::now();
    for mut side in [listener(Arc::new(GlobalOnly)), {
        let mut dialer = dialer(Arc::new(GlobalOnly));
        dialer
            .on_bytes(&bytes(Kind::Answer, &answer()), now)
            .unwrap();
        outputs(&mut dialer);
        dialer
    }] {
        for address in ["10.0.0.1", "127.0.0.1", "a-b.local", "::1"] {
            side.on_bytes(&bytes(Kind::Candidate, &candidate(address, 9)), now)
                .unwrap();
            side.on_local_candidate(&format!("candidate:1 1 udp 5 {address} 9 typ host"))
                .unwrap();
        }
        assert_eq!(outputs(&mut side), []);
        side.on_bytes(&bytes(Kind::Candidate, &candidate("203.0.113.7", 9)), now)
            .unwrap();
        side.on_local_candidate(
            "candidate:1 1 udp 5 203.0.113.7 9 typ srflx raddr 10.0.0.1 rport 9",
        )
        .unwrap();
        let done = outputs(&mut side);
        assert!(matches!(&done[0], Output::AddCandidate(_)));
        assert!(!read(&done[1]).data.contains("10.0.0.1"));
    }
}

#[test]
fn candidates_inside_a_description_are_judged_alike() {
    let mut listener = guarded(Role::Listener);
    let offer = format!(
        "{CHROMIUM}a=candidate:1 1 udp 5 10.0.0.1 9 typ host\r\na=candidate:1 1 udp 5 203.0.113.7 9 typ host\r\n"
    );
    let now = Instant::now();
    listener.on_bytes(&bytes(Kind::Offer, &offer), now).unwrap();
    let added: Vec<_> = outputs(&mut listener)
        .into_iter()
        .filter_map(|output| match output {
            Output::SetRemote(description) => {
                assert!(description.candidates.is_empty());
                None
            }
            Output::AddCandidate(candidate) => Some(candidate.address.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(added, ["203.0.113.7"]);
}

#[test]
fn ten_thousand_candidates_end_the_attempt_and_cost_little() {
    let mut listener = listener(Arc::new(AllowAll));
    let now = Instant::now();
    let mut used = 0;
    let error = (0..10_000_u16)
        .find_map(|n| {
            let message = bytes(Kind::Candidate, &candidate("203.0.113.7", n + 1));
            let result = listener.on_bytes(&message, now);
            used += outputs(&mut listener).len();
            result.err()
        })
        .unwrap();
    assert!(matches!(
        error,
        Error::Signalling(SignallingError::TooManyMessages)
    ));
    assert_eq!(used, MAX_SIGNALLED_CANDIDATES);
}

#[test]
fn the_same_candidate_again_is_nothing_new() {
    let mut listener = listener(Arc::new(AllowAll));
    let message = bytes(Kind::Candidate, &candidate("203.0.113.7", 9));
    for _ in 0..3 {
        listener.on_bytes(&message, Instant::now()).unwrap();
        listener
            .on_local_candidate("candidate:1 1 udp 5 203.0.113.9 9 typ host")
            .unwrap();
    }
    assert_eq!(outputs(&mut listener).len(), 2);
}

#[test]
fn what_comes_out_of_turn_ends_the_attempt() {
    let now = Instant::now();
    let out_of_turn = |result: Result<(), Error>| {
        assert!(matches!(
            result,
            Err(Error::Signalling(SignallingError::OutOfTurn))
        ));
    };
    let a_candidate = bytes(Kind::Candidate, &candidate("203.0.113.7", 9));
    let an_answer = bytes(Kind::Answer, &answer());
    let an_offer = bytes(Kind::Offer, CHROMIUM);
    out_of_turn(new(Role::Listener).on_bytes(&a_candidate, now));
    out_of_turn(new(Role::Listener).on_bytes(&an_answer, now));
    out_of_turn(dialer(Arc::new(AllowAll)).on_bytes(&a_candidate, now));
    out_of_turn(dialer(Arc::new(AllowAll)).on_bytes(&an_offer, now));
    out_of_turn(new(Role::Dialer).on_bytes(&an_answer, now));
    out_of_turn(listener(Arc::new(AllowAll)).on_bytes(&an_offer, now));
    out_of_turn(listener(Arc::new(AllowAll)).on_bytes(&an_answer, now));
    let twice = [an_offer.as_ref(), an_offer.as_ref()].concat();
    out_of_turn(new(Role::Listener).on_bytes(&twice, now));
}

#[test]
fn a_dialers_candidates_may_come_before_our_answer() {
    let now = Instant::now();
    let mut listener = new(Role::Listener);
    let message = [
        bytes(Kind::Offer, CHROMIUM),
        bytes(Kind::Candidate, &candidate("203.0.113.7", 9)),
    ]
    .concat();
    listener.on_bytes(&message, now).unwrap();
    let done = outputs(&mut listener);
    assert!(matches!(
        done[..],
        [
            Output::SetRemote(_),
            Output::Describe,
            Output::AddCandidate(_)
        ]
    ));
}

#[test]
fn an_answer_has_to_fit_the_offer() {
    for bad in [answer().replace("a=mid:0", "a=mid:1"), CHROMIUM.to_owned()] {
        let mut dialer = dialer(Arc::new(AllowAll));
        let result = dialer.on_bytes(&bytes(Kind::Answer, &bad), Instant::now());
        assert!(matches!(result, Err(Error::Sdp(_))));
    }
}

#[test]
fn an_early_end_is_an_error() {
    let now = Instant::now();
    for mut side in [
        new(Role::Listener),
        new(Role::Dialer),
        dialer(Arc::new(AllowAll)),
    ] {
        assert!(matches!(
            side.on_end(now),
            Err(Error::Signalling(SignallingError::Ended))
        ));
    }
    assert!(listener(Arc::new(AllowAll)).on_end(now).is_ok());
}

#[test]
fn every_wait_has_a_limit() {
    let now = Instant::now();
    for side in [
        new(Role::Listener),
        new(Role::Dialer),
        dialer(Arc::new(AllowAll)),
    ] {
        assert!(side.deadline().unwrap() <= now + SIGNALLING_DESCRIPTION_TIMEOUT + SECOND);
        assert_eq!(side.on_timeout(), SignallingError::NoDescription);
    }
    let mut listener = listener(Arc::new(AllowAll));
    let limit = listener.deadline().unwrap();
    assert_eq!(listener.on_timeout(), SignallingError::NoPath);
    // Candidates do not put it off.
    let later = now + 5 * SECOND;
    let message = bytes(Kind::Candidate, &candidate("203.0.113.7", 9));
    listener.on_bytes(&message, later).unwrap();
    assert_eq!(listener.deadline(), Some(limit));
}

proptest! {
    #[test]
    fn any_messages_in_any_order_are_taken_or_refused(
        kinds in proptest::collection::vec((0..3_i32, "\\PC{0,60}|null"), 0..40),
        listening in any::<bool>(),
    ) {
        let mut side = if listening { new(Role::Listener) } else { dialer(Arc::new(AllowAll)) };
        for (kind, data) in kinds {
            let data = match kind {
                0 if data.len() > 20 => CHROMIUM.to_owned(),
                1 if data.len() > 20 => answer(),
                _ => data,
            };
            let message = bytes(Kind::try_from(kind).unwrap(), &data);
            if side.on_bytes(&message, Instant::now()).is_err() {
                return Ok(());
            }
        }
        prop_assert!(side.outputs.len() <= MAX_SIGNALLED_CANDIDATES + 3);
    }

    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), listening in any::<bool>()) {
        let mut side = if listening { new(Role::Listener) } else { dialer(Arc::new(AllowAll)) };
        let _ = side.on_bytes(&bytes, Instant::now());
    }
}
