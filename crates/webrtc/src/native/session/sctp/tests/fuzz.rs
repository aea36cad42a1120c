//! Packets of a peer that has set up an association and then sends anything.

use super::hostile::Forger;
use super::*;
use crate::fuzz::{Source, run};

#[derive(Debug)]
enum Op {
    Packet(Vec<Piece>),
    Process,
    Wait(u64),
    Read(u16),
    Write(u16, usize),
    Open,
    Close(u16),
    Refuse(u16),
    Short(bool),
}

/// A chunk; numbers that mean something only in the association are relative.
#[derive(Debug)]
enum Piece {
    Data {
        tsn: i32,
        stream: u16,
        ssn: i16,
        flags: u8,
        protocol: u32,
        user: Vec<u8>,
    },
    Sack {
        cumulative: i32,
        window: u32,
        rest: Vec<u8>,
    },
    /// Of a request to reset streams.
    Reset {
        sequence: i32,
        last: i32,
        streams: Vec<u16>,
    },
    Forward {
        to: i32,
        streams: Vec<u8>,
    },
    Other {
        kind: u8,
        flags: u8,
        body: Vec<u8>,
        /// Added to the length.
        lie: i16,
    },
}

fn near(source: &mut Source) -> i32 {
    match source.below(8) {
        0 => source.number().cast_signed(),
        1 => *source.pick(&[-1, 0, 300, 5_000, i32::MAX, i32::MIN]),
        2 | 3 => i32::try_from(source.below(40)).unwrap() - 10,
        _ => 1,
    }
}

fn stream(source: &mut Source) -> u16 {
    match source.below(8) {
        0 => source.number() as u16,
        1 => 0,
        _ => 2 * (1 + source.below(4) as u16),
    }
}

fn piece(source: &mut Source) -> Piece {
    match source.below(16) {
        0..=8 => Piece::Data {
            tsn: near(source),
            stream: stream(source),
            ssn: if source.once_in(8) {
                source.number() as i16
            } else {
                1
            },
            flags: if source.once_in(3) {
                source.byte() & 15
            } else {
                3
            },
            protocol: *source.pick(&[53, 53, 53, 50, 57, 51, 0]),
            user: match source.below(8) {
                0 => Message::Open.encode().to_vec(),
                1 => source.bytes(1_100),
                2 if source.once_in(20) => Vec::new(),
                _ => vec![source.byte(); 1 + source.below(20)],
            },
        },
        9 | 10 => Piece::Sack {
            cumulative: near(source),
            window: source.number(),
            rest: if source.once_in(2) {
                vec![0; 4]
            } else {
                source.bytes(20)
            },
        },
        11 | 12 => Piece::Reset {
            sequence: near(source),
            last: near(source),
            streams: (0..source.below(5)).map(|_| stream(source)).collect(),
        },
        13 => Piece::Forward {
            to: near(source),
            streams: source.bytes(12),
        },
        _ => Piece::Other {
            kind: *source.pick(&[1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 14, 64, 128, 130, 192, 194]),
            flags: source.byte(),
            body: if source.once_in(2) {
                Vec::new()
            } else {
                source.bytes(60)
            },
            lie: if source.once_in(4) {
                source.number() as i16
            } else {
                0
            },
        },
    }
}

fn ops(source: &mut Source) -> Vec<Op> {
    (0..source.below(80))
        .map(|_| match source.below(20) {
            0..=9 => Op::Packet((0..1 + source.below(6)).map(|_| piece(source)).collect()),
            10..=12 => Op::Process,
            13 => Op::Wait(*source.pick(&[1, 50, 250, 2_500, 20_000])),
            14 | 15 => Op::Read(stream(source)),
            16 => Op::Write(stream(source), source.below(20_000)),
            17 => Op::Open,
            18 if source.once_in(2) => Op::Close(stream(source)),
            18 => Op::Refuse(stream(source)),
            _ => Op::Short(source.once_in(2)),
        })
        .collect()
}

impl Forger {
    fn forge(&mut self, piece: &Piece) -> Vec<u8> {
        match piece {
            Piece::Data {
                tsn,
                stream,
                ssn,
                flags,
                protocol,
                user,
            } => {
                let tsn = self.tsn.wrapping_add_signed(*tsn);
                let ssn = self.ssn.wrapping_add_signed(*ssn);
                if tsn == self.tsn.wrapping_add(1) {
                    (self.tsn, self.ssn) = (tsn, ssn);
                }
                let mut chunk = Self::data_at(tsn, *stream, ssn, *flags, user);
                chunk[12..16].copy_from_slice(&protocol.to_be_bytes());
                chunk
            }
            Piece::Sack {
                cumulative,
                window,
                rest,
            } => {
                let cumulative = self.theirs.wrapping_add_signed(*cumulative);
                let body = [&cumulative.to_be_bytes()[..], &window.to_be_bytes(), rest];
                Self::chunk(3, 0, &body.concat())
            }
            Piece::Reset {
                sequence,
                last,
                streams,
            } => {
                let sequence = self.first.wrapping_add_signed(*sequence);
                let last = self.tsn.wrapping_add_signed(*last);
                let length = u16::try_from(16 + 2 * streams.len()).unwrap();
                let mut body = [&[0, 13], &length.to_be_bytes()[..]].concat();
                for number in [sequence, self.theirs, last] {
                    body.extend(number.to_be_bytes());
                }
                body.extend(streams.iter().flat_map(|stream| stream.to_be_bytes()));
                Self::chunk(130, 0, &body)
            }
            Piece::Forward { to, streams } => {
                let to = self.tsn.wrapping_add_signed(*to);
                Self::chunk(192, 0, &[&to.to_be_bytes()[..], streams].concat())
            }
            Piece::Other {
                kind,
                flags,
                body,
                lie,
            } => {
                let mut chunk = Self::chunk(*kind, *flags, body);
                let length = u16::try_from(body.len() + 4).unwrap();
                let length = length.wrapping_add_signed(*lie);
                chunk[2..4].copy_from_slice(&length.to_be_bytes());
                chunk
            }
        }
    }
}

fn check(ops: &[Op]) {
    let mut forger = Forger::new(Bounds::STRANGER);
    for op in ops {
        let now = forger.pair.now;
        let server = &mut forger.pair.server;
        match op {
            Op::Packet(pieces) => {
                let chunks: Vec<_> = pieces.iter().map(|piece| forger.forge(piece)).collect();
                forger.send(&chunks);
            }
            Op::Process => forger.process(),
            Op::Wait(ms) => {
                forger.pair.now = now + Duration::from_millis(*ms);
                forger.process();
            }
            Op::Read(id) => while server.read(*id).is_some() {},
            Op::Write(id, length) => drop(server.write(*id, vec![7; *length].into())),
            Op::Open => drop(server.open()),
            Op::Close(id) => server.close(*id),
            Op::Refuse(id) => server.refuse(*id),
            Op::Short(short) => server.bound(if *short { Bounds::SHORT } else { Bounds::PEER }),
        }
        let server = &forger.pair.server;
        assert!(server.channels.len() <= limits::MAX_CHANNELS + 64);
        let window = limits::SCTP_RECEIVE_BUFFER as usize;
        assert!(
            server.unread() <= window + 64 * 1_200,
            "{}",
            server.unread()
        );
        if forger.lost() {
            return;
        }
    }
}

#[test]
fn packets_into_an_association() {
    run("sctp", ops, |ops| check(ops));
}
