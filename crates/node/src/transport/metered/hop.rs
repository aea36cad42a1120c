//! What a relay can tell of a circuit by watching the stream on which it was asked for. libp2p-relay 0.22 copies the bytes itself and
//! reports none.
//!
//! Such a stream begins with the negotiation of its protocol, whose outcome we write. Then come the request (`CONNECT`), our answer
//! (`STATUS`), and if that is `OK`, what the two ends say to each other.

use crate::limits::{HOP_MESSAGE, HOP_NEGOTIATION};

const HEADER: &[u8] = b"/multistream/1.0.0\n";
const HOP: &[u8] = b"/libp2p/circuit/relay/0.2.0/hop\n";

// Circuit relay v2, `HopMessage`: field and values.
const TYPE: u64 = 1;
const CONNECT: u64 = 1;
const STATUS: u64 = 5;
const OK: u64 = 100;

/// A stream that a peer has opened, and may be a circuit.
#[derive(Debug)]
pub(super) enum Hop {
    /// What it is for is not decided. What we have written.
    Negotiating(Vec<u8>),
    /// A request is being read, or has been and is being answered.
    Asked {
        request: Message,
        /// Read behind the request: the first of what is carried, if the answer is yes.
        early: u64,
        answer: Message,
    },
    /// Two ends talk.
    Circuit,
    /// It is something else.
    Other,
}

/// A message with its length before it.
#[derive(Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Default for Hop {
    fn default() -> Self {
        Self::Negotiating(Vec::new())
    }
}

impl Hop {
    /// These were read. How many of them are carried on.
    pub(super) fn read(&mut self, bytes: &[u8]) -> u64 {
        match self {
            Self::Circuit => count(bytes),
            Self::Asked { request, early, .. } => {
                match request.push(bytes) {
                    Ok(behind) => *early = early.saturating_add(count(behind)),
                    Err(TooLong) => *self = Self::Other,
                }
                0
            }
            // The negotiation reads no more than its own lines, before it writes what they lead to.
            Self::Negotiating(_) | Self::Other => 0,
        }
    }

    /// Has a circuit been asked for, and not been answered?
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self, Self::Asked { request, .. } if request.is_connect())
    }

    /// These were written. How many were carried on, the early ones of [`read`](Self::read) apart.
    pub(super) fn wrote(&mut self, bytes: &[u8]) -> (u64, u64) {
        match self {
            Self::Circuit => (count(bytes), 0),
            Self::Negotiating(written) => {
                written.extend_from_slice(bytes);
                if let Some(next) = negotiated(written) {
                    *self = next;
                }
                (0, 0)
            }
            Self::Asked {
                request,
                early,
                answer,
            } => {
                let Ok(behind) = answer.push(bytes) else {
                    *self = Self::Other;
                    return (0, 0);
                };
                let Some(status) = answer.content() else {
                    return (0, 0);
                };
                if request.is_connect() && field(status, STATUS) == Some(OK) {
                    let carried = (count(behind), *early);
                    *self = Self::Circuit;
                    carried
                } else {
                    *self = Self::Other;
                    (0, 0)
                }
            }
            Self::Other => (0, 0),
        }
    }
}

fn count(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// What we have agreed to, if anything yet.
fn negotiated(written: &[u8]) -> Option<Hop> {
    let mut rest = written;
    while let Some((line, behind)) = prefixed(rest) {
        rest = behind;
        if line == HOP {
            return Some(Hop::Asked {
                request: Message::default(),
                early: 0,
                answer: Message::default(),
            });
        }
        // A refusal is "na", and the list of protocols, which may be asked for before, has several line ends.
        let lines = line.iter().filter(|byte| **byte == b'\n').count();
        if line != HEADER && line.starts_with(b"/") && lines == 1 {
            return Some(Hop::Other);
        }
    }
    (written.len() > HOP_NEGOTIATION).then_some(Hop::Other)
}

struct TooLong;

impl Message {
    /// Takes what belongs to the message; what is behind it is given back.
    fn push<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], TooLong> {
        if self.content().is_some() {
            return Ok(bytes);
        }
        let before = self.0.len();
        self.0.extend_from_slice(bytes);
        if let Some((_, behind)) = prefixed(&self.0) {
            let behind = behind.len().min(bytes.len());
            let own = self.0.len().saturating_sub(behind);
            self.0.truncate(own);
            return Ok(bytes.get(own.saturating_sub(before)..).unwrap_or_default());
        }
        if self.0.len() > HOP_MESSAGE {
            return Err(TooLong);
        }
        Ok(&[])
    }

    fn is_connect(&self) -> bool {
        self.content().and_then(|content| field(content, TYPE)) == Some(CONNECT)
    }

    /// Once it is whole.
    fn content(&self) -> Option<&[u8]> {
        prefixed(&self.0).map(|(content, _)| content)
    }
}

/// Takes a whole message with its length off the front.
fn prefixed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = varint(bytes)?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(9) {
        let shift = u32::try_from(index).ok()?.checked_mul(7)?;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(index.checked_add(1)?..)?));
        }
    }
    None
}

/// The number in a field of a protobuf message.
fn field(mut message: &[u8], wanted: u64) -> Option<u64> {
    while !message.is_empty() {
        let (key, rest) = varint(message)?;
        message = match key & 7 {
            0 => {
                let (value, rest) = varint(rest)?;
                if key >> 3 == wanted {
                    return Some(value);
                }
                rest
            }
            1 => rest.get(8..)?,
            2 => prefixed(rest)?.1,
            5 => rest.get(4..)?,
            _ => return None,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed(content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![u8::try_from(content.len()).unwrap()];
        assert!(content.len() < 128);
        bytes.extend_from_slice(content);
        bytes
    }

    /// `type`, a peer of some bytes, and a status.
    fn message(kind: u8, status: Option<u8>) -> Vec<u8> {
        let mut bytes = vec![0x08, kind, 0x12, 3, 0x0a, 1, 7];
        if let Some(status) = status {
            bytes.extend([0x28, 0x80 | (status & 0x7f), status >> 7]);
        }
        framed(&bytes)
    }

    fn agreed(before: &[&[u8]]) -> Hop {
        let mut hop = Hop::default();
        for line in [&[HEADER], before, &[HOP]].concat() {
            assert_eq!(hop.wrote(&framed(line)), (0, 0));
        }
        assert!(matches!(hop, Hop::Asked { .. }), "{hop:?}");
        hop
    }

    #[test]
    fn a_circuit_carries_what_is_behind_request_and_answer() {
        let mut hop = agreed(&[]);
        assert!(!hop.is_waiting());
        assert_eq!(hop.read(&message(1, None)), 0);
        assert!(hop.is_waiting());
        assert_eq!(hop.wrote(&message(2, Some(100))), (0, 0));
        assert!(!hop.is_waiting());
        assert_eq!(hop.read(&[0; 1000]), 1000);
        assert_eq!(hop.wrote(&[0; 70_000]), (70_000, 0));
        assert_eq!(hop.read(&[]), 0);
    }

    #[test]
    fn also_what_came_with_the_request() {
        let mut hop = agreed(&[b"na\n", b"\x2f/ls\n/ls2\n\n"]);
        let mut bytes = message(1, None);
        bytes.extend([9; 50]);
        assert_eq!(hop.read(&bytes), 0);
        assert_eq!(hop.read(&[9; 5]), 0);
        assert_eq!(hop.wrote(&message(2, Some(100))), (0, 55));
        assert_eq!(hop.read(&[9; 5]), 5);
    }

    #[test]
    fn reservations_refusals_and_others_are_no_circuits() {
        for (request, status) in [(0, 100), (1, 201), (2, 100)] {
            let mut hop = agreed(&[]);
            hop.read(&message(request, None));
            assert_eq!(hop.is_waiting(), request == 1);
            hop.wrote(&message(2, Some(status)));
            assert!(matches!(hop, Hop::Other), "{request} {status}");
            assert_eq!((hop.read(&[1; 9]), hop.wrote(&[1; 9])), (0, (0, 0)));
        }
        let mut hop = Hop::default();
        hop.wrote(&framed(HEADER));
        hop.wrote(&framed(b"/mooring/echo/1.0.0\n"));
        assert!(matches!(hop, Hop::Other));
        let mut hop = Hop::default();
        for _ in 0..400 {
            hop.wrote(&framed(b"na\n"));
        }
        assert!(matches!(hop, Hop::Other));
        let mut hop = agreed(&[]);
        hop.read(&[0xff; HOP_MESSAGE + 1]);
        assert!(matches!(hop, Hop::Other));
    }

    proptest! {
        #[test]
        fn pieces_are_the_same_as_the_whole(cuts in proptest::collection::vec(1_usize..40, 1..40), payload in 0_usize..300) {
            let feed = |bytes: &[u8], give: &mut dyn FnMut(&[u8])| {
                let mut rest = bytes;
                for cut in cuts.iter().cycle() {
                    if rest.is_empty() {
                        break;
                    }
                    let (piece, behind) = rest.split_at((*cut).min(rest.len()));
                    give(piece);
                    rest = behind;
                }
            };
            let mut hop = Hop::default();
            let mut carried = (0, 0);
            let negotiation = [framed(HEADER), framed(b"na\n"), framed(HOP)].concat();
            feed(&negotiation, &mut |piece| { hop.wrote(piece); });
            let request = [message(1, None), vec![3; payload]].concat();
            feed(&request, &mut |piece| carried.0 += hop.read(piece));
            let answer = [message(2, Some(100)), vec![3; payload]].concat();
            feed(&answer, &mut |piece| {
                let (more, early) = hop.wrote(piece);
                carried.1 += more;
                carried.0 += early;
            });
            prop_assert!(matches!(hop, Hop::Circuit));
            prop_assert_eq!(carried, (payload as u64, payload as u64));
        }

        #[test]
        fn any_bytes_are_taken(pieces in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 0..2000)), 0..20)) {
            for mut hop in [Hop::default(), agreed(&[])] {
                for (read, bytes) in &pieces {
                    if *read {
                        hop.read(bytes);
                    } else {
                        hop.wrote(bytes);
                    }
                }
            }
        }
    }
}
