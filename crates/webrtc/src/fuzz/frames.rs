//! Frames, their protobuf, and the messages they are sent as.

use bytes::Bytes;

use super::{Source, run};
use crate::core::frame::{Decoder, Flag, Frame, FrameError, WINDOW_FIELD, messages};
use crate::limits::{MAX_RECEIVED_FRAME, MAX_SENT_FRAME};

fn frame(source: &mut Source) -> Vec<u8> {
    let flag = (source.once_in(3))
        .then(|| *source.pick(&[Flag::Fin, Flag::StopSending, Flag::Reset, Flag::FinAck]));
    let most = *source.pick(&[0, 3, 200, 5_000, 16_000]);
    let data = source.bytes(most).into();
    let window = source.once_in(3).then(|| window(source));
    let frame = Frame { data, flag, window };
    frame.encode().unwrap().to_vec()
}

pub(super) fn window(source: &mut Source) -> u64 {
    let some = source.below(1 << 20) as u64;
    *source.pick(&[0, 1, some, u64::MAX])
}

/// Some frames, a little damaged, and where the bytes are cut.
fn wire(source: &mut Source) -> (Vec<u8>, Vec<usize>) {
    let mut wire = Vec::new();
    for _ in 0..source.below(5) {
        wire.extend(frame(source));
    }
    if !source.once_in(3) {
        source.damage(&mut wire, 3);
    }
    if source.once_in(4) {
        wire.extend(source.bytes(40));
    }
    let cuts = (0..source.below(9))
        .map(|_| source.below(wire.len() + 1))
        .collect();
    (wire, cuts)
}

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Frame>, Option<FrameError>, usize) {
    let mut decoder = Decoder::default();
    let (mut frames, mut failed) = (Vec::new(), None);
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => {
                    assert_eq!(failed, None, "a frame after an error");
                    frames.push(frame);
                }
                Ok(None) => break,
                Err(error) => {
                    assert!(failed.is_none_or(|before| before == error), "another error");
                    failed = Some(error);
                    assert_eq!(decoder.buffered(), 0);
                    break;
                }
            }
        }
        assert!(decoder.buffered() <= MAX_RECEIVED_FRAME + 5);
    }
    (frames, failed, decoder.buffered())
}

/// The same by the way that copies less.
fn decode_owned<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Frame>, Option<FrameError>, usize) {
    let mut decoder = Decoder::default();
    let (mut frames, mut failed) = (Vec::new(), None);
    for piece in pieces {
        let mut next = decoder.push_owned(Bytes::copy_from_slice(piece));
        loop {
            match next {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
            next = decoder.next_frame();
        }
    }
    (frames, failed, decoder.buffered())
}

#[test]
fn frames_in_any_pieces() {
    run("frames", wire, |(wire, cuts)| {
        let whole = decode(std::iter::once(wire.as_slice()));
        let mut cuts = cuts.clone();
        cuts.extend([0, wire.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &wire[cut[0]..cut[1]]);
        assert_eq!(decode(pieces), whole, "the cuts matter");
        let pieces = cuts.windows(2).map(|cut| &wire[cut[0]..cut[1]]);
        assert_eq!(decode_owned(pieces), whole, "owned or not matters");
        if wire.len() < 2_000 {
            assert_eq!(decode(wire.chunks(1)), whole, "the cuts matter");
        }
        // What was understood can be said again, and means the same.
        for frame in &whole.0 {
            assert!(frame.data.len() <= MAX_RECEIVED_FRAME);
            match frame.encode() {
                Ok(again) => {
                    let (found, failed, left) = decode(std::iter::once(&again[..]));
                    assert_eq!((found, failed, left), (vec![frame.clone()], None, 0));
                    let parts: Vec<Bytes> = messages(again.clone()).collect();
                    assert!(parts.len() <= 2 && parts.concat() == again);
                }
                Err(error) => {
                    assert_eq!(error, FrameError::TooLarge);
                    assert!(frame.data.len() > MAX_SENT_FRAME - 16);
                }
            }
        }
    });
}

/// A varint of at most ten bytes, as protobuf has them.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for n in 0..10 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if n == 9 && *byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// What a reader by the encoding's own rules makes of a message.
#[derive(Debug, PartialEq)]
enum Read {
    Is(Option<u64>, Option<u64>, Vec<u8>),
    IsNone,
    /// It has groups, on which readers differ.
    Unsure,
}

fn read(mut body: &[u8]) -> Read {
    let (mut flag, mut window, mut data) = (None, None, Vec::new());
    while !body.is_empty() {
        match field(&mut body) {
            Some(Field::Flag(value)) => flag = Some(value),
            Some(Field::Window(value)) => window = Some(value),
            Some(Field::Data(bytes)) => data = bytes.to_vec(),
            Some(Field::Unknown) => {}
            Some(Field::Group) => return Read::Unsure,
            None => return Read::IsNone,
        }
    }
    Read::Is(flag, window, data)
}

enum Field<'a> {
    Flag(u64),
    Window(u64),
    Data(&'a [u8]),
    Unknown,
    Group,
}

fn field<'a>(body: &mut &'a [u8]) -> Option<Field<'a>> {
    let key = u32::try_from(varint(body)?).ok()?;
    let number = key >> 3;
    if number == 0 {
        return None;
    }
    Some(match (number, key & 7) {
        (1, 0) => Field::Flag(varint(body)?),
        (WINDOW_FIELD, 0) => Field::Window(varint(body)?),
        (1 | WINDOW_FIELD, _) | (2, 0 | 1 | 5) => return None,
        (_, 0) => {
            varint(body)?;
            Field::Unknown
        }
        (_, 1) => {
            *body = body.get(8..)?;
            Field::Unknown
        }
        (_, 5) => {
            *body = body.get(4..)?;
            Field::Unknown
        }
        (_, 2) => {
            let length = usize::try_from(varint(body)?).ok()?;
            let (bytes, rest) = body.split_at_checked(length)?;
            *body = rest;
            if number == 2 {
                Field::Data(bytes)
            } else {
                Field::Unknown
            }
        }
        (_, 3 | 4) => Field::Group,
        _ => return None,
    })
}

fn body(source: &mut Source) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..source.below(6) {
        match source.below(6) {
            0 => body.extend([8, source.byte() & 7]),
            1 => {
                let data = source.bytes(20);
                body.extend([0x12, u8::try_from(data.len()).unwrap()]);
                body.extend(data);
            }
            2 => body.extend([0x18, source.byte() & 0x7f]),
            3 => body.extend(source.bytes(4)),
            4 => {
                let window = window(source);
                prost::encoding::uint64::encode(WINDOW_FIELD, &window, &mut body);
            }
            _ => {
                let field = (source.byte() & 0x78) | *source.pick(&[0, 1, 2, 5]);
                body.push(field);
                body.extend(source.bytes(9));
            }
        }
    }
    body
}

#[test]
fn protobuf_as_another_reader_reads_it() {
    run("protobuf", body, |body| {
        let mut wire = vec![];
        let mut length = body.len();
        while length >= 0x80 {
            wire.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        wire.push(length as u8);
        wire.extend(body);
        let (frames, failed, _) = decode(std::iter::once(&wire[..]));
        match read(body) {
            Read::Unsure => {}
            Read::IsNone => assert_eq!((frames, failed), (vec![], Some(FrameError::Body))),
            Read::Is(flag, window, data) => {
                assert_eq!(failed, None);
                let flag = match flag.map(|flag| flag as i32) {
                    Some(0) => Some(Flag::Fin),
                    Some(1) => Some(Flag::StopSending),
                    Some(2) => Some(Flag::Reset),
                    Some(3) => Some(Flag::FinAck),
                    _ => None,
                };
                let data = data.into();
                assert_eq!(frames, [Frame { data, flag, window }]);
            }
        }
    });
}
