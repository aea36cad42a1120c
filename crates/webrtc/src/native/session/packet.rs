//! SCTP packets as far as we look into them (RFC 9260, section 3): which chunks there are, and what DATA and SACK say.

use bytes::{BufMut, Bytes, BytesMut};

/// Ports, verification tag, checksum.
const HEADER: usize = 12;
/// Type, flags, length.
const CHUNK_HEADER: usize = 4;
const DATA: u8 = 0;
const SACK: u8 = 3;
/// A DATA chunk without user data.
const DATA_HEADER: usize = 16;
/// CRC-32C (RFC 9260, appendix A).
const CRC: crc::Crc<u32, crc::Table<1>> = crc::Crc::<u32, crc::Table<1>>::new(&crc::CRC_32_ISCSI);

/// One chunk of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk {
    /// `length`: bytes of user data, possibly none, which no sender may send.
    Data {
        tsn: u32,
        length: usize,
    },
    /// What the sender of it has received, and how many bytes it takes now.
    Sack {
        cumulative: u32,
        window: u32,
    },
    Other,
}

/// The chunks of a packet, up to the first that is cut short.
pub(super) fn chunks(packet: &[u8]) -> impl Iterator<Item = Chunk> + '_ {
    raw_chunks(packet).map(|raw| read(raw).unwrap_or(Chunk::Other))
}

/// The packet without its DATA, or `None` when nothing else is in it. What it says about our own data is not lost with
/// data that we do not take.
pub(super) fn without_data(packet: &[u8]) -> Option<Bytes> {
    keep(packet, |kind| kind != DATA)
}

/// The DATA of a packet alone.
pub(super) fn only_data(packet: &[u8]) -> Option<Bytes> {
    keep(packet, |kind| kind == DATA)
}

fn keep(packet: &[u8], wanted: impl Fn(u8) -> bool) -> Option<Bytes> {
    let header = packet.get(..HEADER)?;
    let mut rest = BytesMut::with_capacity(packet.len());
    rest.extend_from_slice(header);
    for raw in raw_chunks(packet).filter(|raw| raw.first().copied().is_some_and(&wanted)) {
        rest.extend_from_slice(raw);
        rest.put_bytes(0, padding(raw.len()));
    }
    if rest.len() == HEADER {
        return None;
    }
    sign(&mut rest);
    Some(rest.freeze())
}

/// Puts the checksum into a packet.
pub(super) fn sign(packet: &mut [u8]) {
    if let Some(checksum) = packet.get_mut(8..HEADER) {
        checksum.fill(0);
        let found = CRC.checksum(packet).to_le_bytes();
        if let Some(checksum) = packet.get_mut(8..HEADER) {
            checksum.copy_from_slice(&found);
        }
    }
}

/// Each chunk with its header and without its padding.
fn raw_chunks(packet: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut left = packet.get(HEADER..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_be_bytes([*left.get(2)?, *left.get(3)?]));
        if length < CHUNK_HEADER {
            return None;
        }
        let chunk = left.get(..length)?;
        left = left
            .get(length.saturating_add(padding(length))..)
            .unwrap_or_default();
        Some(chunk)
    })
}

/// Chunks begin at multiples of four.
fn padding(length: usize) -> usize {
    length.wrapping_neg() & 3
}

fn read(raw: &[u8]) -> Option<Chunk> {
    let number = |at: usize| {
        let bytes = raw.get(at..)?.first_chunk()?;
        Some(u32::from_be_bytes(*bytes))
    };
    match *raw.first()? {
        DATA => Some(Chunk::Data {
            tsn: number(CHUNK_HEADER)?,
            length: raw.len().saturating_sub(DATA_HEADER),
        }),
        SACK => Some(Chunk::Sack {
            cumulative: number(CHUNK_HEADER)?,
            window: number(8)?,
        }),
        _ => Some(Chunk::Other),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn chunk(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len() + 4).unwrap().to_be_bytes();
        let mut chunk = vec![kind, 3, length[0], length[1]];
        chunk.extend_from_slice(body);
        chunk.resize(chunk.len().next_multiple_of(4), 0);
        chunk
    }

    fn data(tsn: u32, user: &[u8]) -> Vec<u8> {
        chunk(0, &[&tsn.to_be_bytes(), &[0; 8][..], user].concat())
    }

    #[test]
    fn reads_data_and_sack() {
        let sack = chunk(3, &[0, 0, 0, 9, 0, 1, 0, 0, 0, 0, 0, 0]);
        let packet = [vec![0; 12], sack, data(7, b"abcde"), data(8, b"")].concat();
        let found: Vec<Chunk> = chunks(&packet).collect();
        let expected = [
            Chunk::Sack {
                cumulative: 9,
                window: 65536,
            },
            Chunk::Data { tsn: 7, length: 5 },
            Chunk::Data { tsn: 8, length: 0 },
        ];
        assert_eq!(found, expected);
        // A cut chunk is not seen, those before it are.
        assert_eq!(chunks(&packet[..packet.len() - 1]).count(), 2);
        assert_eq!(chunks(&[0; 14]).count(), 0);
    }

    #[test]
    fn only_data_is_taken_out() {
        let sack = chunk(3, &[0, 0, 0, 9, 0, 1, 0, 0, 0, 0, 0, 0]);
        let other = chunk(130, b"abc");
        let packet = [vec![7; 12], data(1, b"a"), sack, data(2, b"bc"), other].concat();
        let rest = without_data(&packet).unwrap();
        assert_eq!(
            chunks(&rest).collect::<Vec<_>>(),
            [
                Chunk::Sack {
                    cumulative: 9,
                    window: 65536
                },
                Chunk::Other
            ]
        );
        let mut signed = rest.to_vec();
        sign(&mut signed);
        assert!(signed == rest);
        let data_alone = [vec![7; 12], data(1, b"a"), data(2, b"bc")].concat();
        assert_eq!(without_data(&data_alone), None);
        let found = only_data(&packet).unwrap();
        assert_eq!(found[12..], data_alone[12..]);
        assert_eq!(only_data(&rest), None);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(packet in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = chunks(&packet).count();
            let _ = without_data(&packet);
        }
    }
}
