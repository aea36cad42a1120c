//! Session descriptions: reading our own offer, changing it, and making the server's answer.

use super::{Source, run};
use crate::core::{
    address::{DialAddress, Host},
    certhash::Fingerprint,
    sdp::{LocalDescription, munge_offer, server_answer},
    ufrag,
};
use crate::limits::MAX_SDP;

const OFFER: &str = "v=0\r\no=- 5 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
    a=ice-ufrag:Xy+/\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=ice-options:trickle\r\n\
    a=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:FF\r\n\
    a=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n";

fn offer(source: &mut Source) -> (String, String) {
    let text = source.damaged_text(OFFER, 6);
    let text = if source.once_in(2_000) {
        text.repeat(MAX_SDP / OFFER.len() + 1)
    } else {
        text
    };
    let ufrag = ufrag::new_v1();
    (text, source.damaged_text(&ufrag, 1))
}

#[test]
fn offers_are_read_and_changed() {
    run("sdp, offers", offer, |(offer, ufrag)| {
        let read = LocalDescription::parse(offer);
        if let Ok(local) = &read {
            assert!(offer.len() <= MAX_SDP);
            assert!(ufrag::is_ufrag(&local.ufrag) && ufrag::is_password(&local.password));
        }
        let Ok(munged) = munge_offer(offer, ufrag) else {
            return;
        };
        assert!(ufrag::is_password(ufrag));
        assert_eq!(munged.lines().count(), offer.lines().count());
        for (before, after) in offer.lines().zip(munged.lines()) {
            let credential = ["a=ice-ufrag:", "a=ice-pwd:"]
                .into_iter()
                .find(|name| before.starts_with(name));
            match credential {
                Some(name) => assert_eq!(after, format!("{name}{ufrag}")),
                None => assert_eq!(before, after),
            }
        }
        if read.is_ok() && munged.len() <= MAX_SDP {
            let local = LocalDescription::parse(&munged).unwrap();
            assert_eq!((&local.ufrag, &local.password), (ufrag, ufrag));
        }
    });
}

fn target(source: &mut Source) -> (DialAddress, String) {
    let host = match source.below(3) {
        0 => Host::Ip(std::net::Ipv4Addr::from(source.number()).into()),
        1 => Host::Ip(
            std::net::Ipv6Addr::from(u128::from(source.number()) << source.below(96)).into(),
        ),
        _ => Host::Dns("a-host.example".into()),
    };
    let mut digest = [0; 32];
    digest.fill_with(|| source.byte());
    let address = DialAddress {
        host,
        port: source.number() as u16,
        fingerprint: Fingerprint::from_digest(digest),
        peer: None,
    };
    let ufrag = ufrag::new_v2("abcdefghijklmnopqrstuvwx").unwrap();
    (address, source.damaged_text(&ufrag, 2))
}

#[test]
fn answers_hold_one_value_a_line() {
    run("sdp, answers", target, |(address, ufrag)| {
        let Ok(answer) = server_answer(address, ufrag) else {
            assert!(!ufrag::is_password(ufrag));
            return;
        };
        assert_eq!(answer.matches("\r\n").count(), 17, "{answer}");
        assert_eq!(answer.lines().count(), 17);
        assert!(
            answer
                .lines()
                .all(|line| line.as_bytes().get(1) == Some(&b'='))
        );
        let read = LocalDescription::parse(&answer).unwrap();
        assert_eq!((&read.ufrag, &read.password), (ufrag, ufrag));
        assert_eq!(read.fingerprint, address.fingerprint);
    });
}
