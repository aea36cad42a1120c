//! Datagrams into a session: DTLS records during and after the handshake.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use super::{Bounds, Event, Role, Session};
use crate::fuzz::{Source, run};
use crate::native::certificate::Certificate;

/// Making keys is the slow part.
static CERTIFICATES: LazyLock<[Certificate; 2]> =
    LazyLock::new(|| [(); 2].map(|()| Certificate::generate().unwrap()));

#[derive(Debug)]
struct Input {
    /// Which datagram of the real ones is damaged, and with what.
    at: usize,
    seed: u64,
    /// Datagrams of our own making, before the real ones.
    made_up: Vec<Vec<u8>>,
}

fn input(source: &mut Source) -> Input {
    let made_up = (0..source.below(4))
        .map(|_| {
            let mut bytes = vec![*source.pick(&[20, 21, 22, 23, 25, 44]), 0xfe, 0xfd];
            bytes.extend([0; 8]);
            let body = source.bytes(300);
            bytes.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
            bytes.extend(body);
            source.damage(&mut bytes, 1);
            bytes
        })
        .collect();
    Input {
        at: source.below(14),
        seed: u64::from(source.number()),
        made_up,
    }
}

fn check(input: &Input) {
    let mut source = Source::new(input.seed);
    let mut now = Instant::now();
    let roles = [Role::Client, Role::Server];
    let mut ends = [0, 1].map(|n| {
        let mut end = Session::new(roles[n], &CERTIFICATES[n], None, now).unwrap();
        end.bound(Bounds::STRANGER);
        end
    });
    for datagram in &input.made_up {
        ends[1].handle_datagram(now, datagram);
    }
    let mut count = 0;
    let mut ended = [false; 2];
    for _ in 0..60 {
        now += Duration::from_millis(50);
        for who in [0, 1] {
            ends[who].handle_timeout(now);
            ends[who].process(now);
            while let Some(event) = ends[who].poll_event() {
                assert!(!ended[who], "{event:?} after the end");
                ended[who] = matches!(event, Event::Ended(_));
            }
            while let Some(datagram) = ends[who].poll_transmit() {
                count += 1;
                if count == input.at + 1 {
                    for _ in 0..3 {
                        let mut damaged = datagram.to_vec();
                        source.damage(&mut damaged, 3);
                        ends[1 - who].handle_datagram(now, &damaged);
                    }
                }
                ends[1 - who].handle_datagram(now, &datagram);
            }
            assert!(count < 10_000, "endless datagrams");
        }
    }
}

#[test]
fn records_into_a_session() {
    run("session", input, check);
}
