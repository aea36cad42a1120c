//! Datagrams on a socket that anybody can send to.

use super::{Datagram, Transaction, check};
use crate::core::ufrag;
use crate::fuzz::{Source, run};

fn datagram(source: &mut Source) -> (Vec<u8>, Vec<u8>) {
    let name = ufrag::new_v1();
    let request = check(Transaction::new(), 7, &format!("{name}:{name}"), &name).unwrap();
    let answer = match Datagram::parse(&request) {
        Datagram::Request(request) => request.answer("127.0.0.1:9".parse().unwrap(), &name),
        _ => unreachable!(),
    };
    let whole = if source.once_in(3) {
        answer.unwrap()
    } else {
        request
    };
    let mut bytes = whole.to_vec();
    source.damage(&mut bytes, 4);
    if source.once_in(2) && bytes.len() >= 20 {
        // With a length that fits, more of it is looked at.
        let length = u16::try_from(bytes.len() - 20).unwrap() & !3;
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes.truncate(usize::from(length) + 20);
    }
    if source.once_in(8) {
        bytes = source.bytes(200);
    }
    (whole.to_vec(), bytes)
}

#[test]
fn datagrams_are_parsed_and_damaged_ones_not_believed() {
    run("stun", datagram, |(whole, bytes)| {
        let (sender, _) = match Datagram::parse(whole) {
            Datagram::Request(request) => (Some(request.receiver_ufrag.to_owned()), ()),
            _ => (None, ()),
        };
        match Datagram::parse(bytes) {
            Datagram::Request(request) => {
                let name = request.receiver_ufrag;
                let verified = request.verify(name);
                let _ = request.answer("[::1]:9".parse().unwrap(), name);
                let _ = request.nominates();
                // What comes after the integrity attribute is not covered by it (RFC 8489, section 14.5).
                if verified && sender.as_deref() != Some(name) {
                    panic!("a name that nobody signed");
                }
            }
            Datagram::Response(response) => {
                let _ = response.transaction();
                let _ = response.verify("libp2p+webrtc+v1/aaaaaaaaaaaaaaaaaaaaaaaa");
            }
            Datagram::Dtls(data) => assert_eq!(data, bytes),
            Datagram::Other => {}
        }
    });
}
