use proptest::prelude::*;

use super::*;
use crate::limits::MAX_SENT_PAYLOAD;

fn decode_all(decoder: &mut Decoder) -> Result<Vec<Frame>, FrameError> {
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next_frame()? {
        frames.push(frame);
    }
    Ok(frames)
}

fn decode(bytes: &[u8]) -> Result<Vec<Frame>, FrameError> {
    let mut decoder = Decoder::default();
    decoder.push(bytes);
    decode_all(&mut decoder)
}

#[test]
fn flags_on_the_wire() {
    for (flag, value) in [
        (Flag::Fin, 0),
        (Flag::StopSending, 1),
        (Flag::Reset, 2),
        (Flag::FinAck, 3),
    ] {
        assert_eq!(Frame::flag(flag).encode().unwrap()[..], [2, 0x08, value]);
    }
    assert_eq!(
        Frame::data(Bytes::from_static(b"hi")).encode().unwrap()[..],
        [4, 0x12, 2, b'h', b'i']
    );
}

#[test]
fn largest_payload_fits_and_one_more_does_not_pass_the_bound() {
    let frame = Frame {
        data: vec![7; MAX_SENT_PAYLOAD].into(),
        flag: Some(Flag::Fin),
        window: Some(0),
    };
    let encoded = frame.encode().unwrap();
    assert!(encoded.len() <= MAX_SENT_FRAME);
    assert_eq!(decode(&encoded).unwrap(), [frame]);
    let too_large = Frame::data(vec![7; MAX_SENT_FRAME].into());
    assert_eq!(too_large.encode(), Err(FrameError::TooLarge));
}

/// Others skip what they do not know, which is a varint with the number that the decision names.
#[test]
fn windows_on_the_wire() {
    let window = |window| Frame {
        window: Some(window),
        ..Frame::default()
    };
    let key = [0x80, 0xf1, 0x81, 0x08];
    assert_eq!(
        window(0).encode().unwrap()[..],
        [&[5], &key[..], &[0]].concat()
    );
    assert_eq!(
        window(300).encode().unwrap()[..],
        [&[6], &key[..], &[0xac, 0x02]].concat()
    );
    assert_eq!(window(u64::MAX).encode().unwrap().len(), 15);
    let first = encode(None, Some(0), b"hi").unwrap();
    assert_eq!(first[..], [&[9], &key[..], &[0, 0x12, 2], b"hi"].concat());
    assert_eq!(decode(&first).unwrap()[0].window, Some(0));
    // As a number of another kind it is no frame of ours.
    assert_eq!(
        decode(&[&[5], &[key[0] | 5][..], &key[1..], &[0]].concat()),
        Err(FrameError::Body)
    );
}

#[test]
fn small_frames_go_together_and_in_order() {
    let data = |length: usize| encode(None, None, &vec![length as u8; length]).unwrap();
    let fin = Frame::flag(Flag::Fin).encode().unwrap();
    let mut frames = VecDeque::from([data(20), data(1024), fin.clone()]);
    let whole = [&data(20)[..], &data(1024)[..], &fin[..]].concat();
    assert_eq!(join(&mut frames).unwrap()[..], whole);
    assert_eq!(join(&mut frames), None);

    // Never more than go-libp2p reads at once, and what is larger goes alone.
    let (large, rest) = (data(5000), MAX_JOINED_FRAME - 2 * data(1024).len() - 5);
    let mut frames = VecDeque::from([
        large.clone(),
        data(1024),
        data(1024),
        data(rest),
        data(1),
        fin.clone(),
        large.clone(),
        fin.clone(),
    ]);
    let lengths: Vec<usize> = std::iter::from_fn(|| join(&mut frames))
        .map(|joined| joined.len())
        .collect();
    let last = data(1).len() + fin.len();
    assert_eq!(
        lengths,
        [large.len(), MAX_JOINED_FRAME, last, large.len(), fin.len()]
    );
}

/// go-libp2p reads prefixes through a buffer of 4 KiB, and fails on a message that is larger.
#[test]
fn a_large_frame_is_sent_as_prefix_and_body() {
    for (payload, expected) in [
        (0, vec![1]),
        (1, vec![4]),
        (4091, vec![4096]),
        (4092, vec![2, 4095]),
        (MAX_SENT_PAYLOAD, vec![2, MAX_SENT_PAYLOAD + 3]),
    ] {
        let frame = Frame::data(vec![7; payload].into());
        let sent: Vec<Bytes> = messages(frame.encode().unwrap()).collect();
        let sizes: Vec<usize> = sent.iter().map(Bytes::len).collect();
        assert_eq!(sizes, expected, "{payload}");
        assert_eq!(decode(&sent.concat()).unwrap(), [frame]);
    }
}

#[test]
fn prefix_and_body_may_come_apart() {
    let mut decoder = Decoder::default();
    decoder.push(&[4]);
    assert_eq!(decoder.next_frame(), Ok(None));
    decoder.push(&[0x12, 2, b'h', b'i']);
    let frame = decoder.next_frame().unwrap().unwrap();
    assert_eq!(&frame.data[..], b"hi");
    assert_eq!(decoder.buffered(), 0);
}

#[test]
fn a_payload_keeps_no_more_memory_than_it_is_long() {
    let payload = vec![7; 10_000];
    let frame = Frame::data(payload.clone().into()).encode().unwrap();
    let [prefix, body] = messages(frame).collect::<Vec<_>>().try_into().unwrap();
    // Alone in its message, it is not copied.
    let mut decoder = Decoder::default();
    assert_eq!(decoder.push_owned(prefix), Ok(None));
    let found = decoder.push_owned(body.clone()).unwrap().unwrap();
    assert_eq!(found.data, payload);
    assert_eq!(found.data.as_ptr(), body[body.len() - 10_000..].as_ptr());
    // Beside 20,000 bytes that mean nothing, it is.
    let junk = [&[0x1a, 0xa0, 0x9c, 0x01][..], &[0; 20_000], &body].concat();
    let mut wire = Vec::new();
    prost::encoding::encode_varint(junk.len() as u64, &mut wire);
    wire.extend(junk);
    let message = Bytes::from(wire);
    let found = Decoder::default().push_owned(message.clone());
    let found = found.unwrap().unwrap();
    assert_eq!(found.data, payload);
    assert!(!message.as_ptr_range().contains(&found.data.as_ptr()));
}

#[test]
fn unknown_fields_and_flags_are_tolerated() {
    // errorCode (field 3, go-libp2p) beside RESET; a flag of the future; an unknown bytes field.
    assert_eq!(
        decode(&[4, 0x08, 2, 0x18, 7]).unwrap(),
        [Frame::flag(Flag::Reset)]
    );
    assert_eq!(decode(&[2, 0x08, 9]).unwrap(), [Frame::default()]);
    assert_eq!(decode(&[4, 0x3a, 2, 1, 2]).unwrap(), [Frame::default()]);
    assert_eq!(decode(&[0]).unwrap(), [Frame::default()]);
}

#[test]
fn garbage_is_an_error_and_stays_one() {
    for (bytes, error) in [
        (&[0x80, 0x00][..], FrameError::Length),
        (&[0xff, 0xff, 0xff, 0xff, 0xff, 0x01], FrameError::Length),
        (&[0xff, 0xff, 0x7f], FrameError::TooLarge),
        (&[1, 0xff], FrameError::Body),
        (&[2, 0x12, 9], FrameError::Body),
        (&[1, 0x00], FrameError::Body),
    ] {
        let mut decoder = Decoder::default();
        decoder.push(bytes);
        assert_eq!(decode_all(&mut decoder), Err(error), "{bytes:x?}");
        decoder.push(&[0, 0, 0]);
        assert_eq!(decode_all(&mut decoder), Err(error));
        assert_eq!(decoder.buffered(), 0);
    }
}

proptest! {
    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn round_trip_in_any_cut(
        frames in proptest::collection::vec(
            (proptest::collection::vec(any::<u8>(), 0..600), proptest::option::of(0i32..4), any::<Option<u64>>()), 0..8),
        cut in 1usize..50,
    ) {
        let frames: Vec<Frame> = frames.into_iter().map(|(data, flag, window)| Frame {
            data: data.into(),
            flag: flag.map(|flag| Flag::try_from(flag).unwrap()),
            window,
        }).collect();
        let wire: Vec<u8> = frames.iter().flat_map(|frame| frame.encode().unwrap()).collect();
        let mut decoder = Decoder::default();
        let mut decoded = Vec::new();
        for piece in wire.chunks(cut) {
            decoder.push(piece);
            decoded.extend(decode_all(&mut decoder).unwrap());
        }
        prop_assert_eq!(decoded, frames);
    }
}
