use std::sync::Arc;

use proptest::prelude::*;

use super::ledger::{Frames, Ledger};

fn frame(kind: u8, flags: u16, id: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, kind];
    bytes.extend(flags.to_be_bytes());
    bytes.extend(id.to_be_bytes());
    bytes.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

fn frames() -> (Arc<Ledger>, Frames) {
    let ledger = Arc::new(Ledger::default());
    let frames = Frames {
        ledger: Arc::clone(&ledger),
        header: Vec::new(),
        body: 0,
        ending: None,
    };
    (ledger, frames)
}

#[test]
fn a_stream_ends_with_the_last_byte_of_its_last_frame() {
    let (ledger, mut frames) = frames();
    ledger.open(1);
    let bytes = frame(0, 4, 1, b"the end");
    let (last, but_last) = bytes.split_last().unwrap();
    for byte in but_last {
        frames.feed(&[*byte]);
        assert!(!ledger.has_ended(1));
    }
    frames.feed(&[*last]);
    assert!(ledger.has_ended(1));
}

#[test]
fn a_reset_is_no_end() {
    let (ledger, mut frames) = frames();
    ledger.open(1);
    frames.feed(&frame(1, 8, 1, b""));
    assert!(!ledger.has_ended(1));
}

#[test]
fn a_stream_that_begins_and_ends_in_one_frame() {
    let (ledger, mut frames) = frames();
    frames.feed(&frame(0, 1 | 4, 2, b"all"));
    ledger.open(2);
    assert!(ledger.has_ended(2));
    ledger.forget(2);
    assert_eq!(ledger.len(), 0);
}

#[test]
fn a_flood_of_streams_is_bounded() {
    let (ledger, mut frames) = frames();
    for id in 0..10_000 {
        frames.feed(&frame(1, 1, id, b""));
        // The end of what never began leaves nothing.
        frames.feed(&frame(1, 4, id + 20_000, b""));
    }
    assert!(ledger.len() <= 2 * crate::limits::YAMUX_STREAMS);
    // One without a place is on the safe side.
    frames.feed(&frame(1, 4, 9_999, b""));
    assert!(!ledger.has_ended(9_999));
}

proptest! {
    /// However the bytes are cut, the same streams have ended.
    #[test]
    fn cuts_do_not_matter(
        list in prop::collection::vec((0_u8..4, 0_u16..16, 0_u32..6, prop::collection::vec(any::<u8>(), 0..40)), 0..20),
        size in 1_usize..50,
    ) {
        let bytes: Vec<u8> = list
            .iter()
            // Only data frames have a body.
            .flat_map(|(kind, flags, id, body)| {
                frame(*kind, *flags, *id, if *kind == 0 { body } else { b"" })
            })
            .collect();
        let (whole, mut one) = frames();
        let (cut, mut many) = frames();
        one.feed(&bytes);
        bytes.chunks(size).for_each(|chunk| many.feed(chunk));
        for id in 0..6 {
            prop_assert_eq!(whole.has_ended(id), cut.has_ended(id));
        }
    }

    /// No bytes make it panic.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        frames().1.feed(&bytes);
    }
}
