//! Session descriptions: the answer a server would send if it were asked, and what we need to know
//! of our own offer.

use std::net::IpAddr;

use super::{
    address::{DialAddress, Host},
    certhash::Fingerprint,
    ufrag,
};
use crate::{
    Error,
    limits::{MAX_SDP, MAX_SENT_FRAME},
};

/// The answer of the server at `address`, whose ufrag and password are both `server_ufrag`.
pub fn server_answer(address: &DialAddress, server_ufrag: &str) -> Result<String, Error> {
    if !ufrag::is_password(server_ufrag) {
        return Err(Error::IceCredentials("malformed server ufrag"));
    }
    let DialAddress {
        host,
        port,
        fingerprint,
        ..
    } = address;
    // A name is resolved by the ICE agent, through the candidate; the other two lines are not used.
    let (version, connection) = match host {
        Host::Ip(ip @ IpAddr::V4(_)) => ("IP4", ip.to_string()),
        Host::Ip(ip @ IpAddr::V6(_)) => ("IP6", ip.to_string()),
        Host::Dns(_) => ("IP4", "0.0.0.0".to_owned()),
    };
    Ok([
        "v=0".to_owned(),
        format!("o=- 0 0 IN {version} {connection}"),
        "s=-".to_owned(),
        "t=0 0".to_owned(),
        "a=ice-lite".to_owned(),
        format!("m=application {port} UDP/DTLS/SCTP webrtc-datachannel"),
        format!("c=IN {version} {connection}"),
        "a=mid:0".to_owned(),
        "a=ice-options:ice2".to_owned(),
        format!("a=ice-ufrag:{server_ufrag}"),
        format!("a=ice-pwd:{server_ufrag}"),
        format!("a=fingerprint:{fingerprint}"),
        "a=setup:passive".to_owned(),
        "a=sctp-port:5000".to_owned(),
        format!("a=max-message-size:{MAX_SENT_FRAME}"),
        format!("a=candidate:1 1 UDP 1 {host} {port} typ host"),
        "a=end-of-candidates".to_owned(),
        String::new(),
    ]
    .join("\r\n"))
}

/// What we need to know of our own offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalDescription {
    /// Our ICE ufrag.
    pub ufrag: String,
    /// Our ICE password.
    pub password: String,
    /// Our certificate. Firefox does not tell it in any other way.
    pub fingerprint: Fingerprint,
}

impl LocalDescription {
    /// Reads a browser's description. Session and media level are one here: a data-channel offer
    /// has a single media section.
    pub fn parse(sdp: &str) -> Result<Self, Error> {
        if sdp.len() > MAX_SDP {
            return Err(Error::Sdp("too long"));
        }
        let find = |name: &str| sdp.lines().find_map(|line| line.strip_prefix(name));
        let ufrag = find("a=ice-ufrag:").ok_or(Error::Sdp("no ice-ufrag"))?;
        let password = find("a=ice-pwd:").ok_or(Error::Sdp("no ice-pwd"))?;
        if !ufrag::is_ufrag(ufrag) || !ufrag::is_password(password) {
            return Err(Error::Sdp("malformed ICE credentials"));
        }
        let fingerprint = find("a=fingerprint:").ok_or(Error::Sdp("no fingerprint"))?;
        Ok(Self {
            ufrag: ufrag.to_owned(),
            password: password.to_owned(),
            fingerprint: Fingerprint::from_sdp(fingerprint)?,
        })
    }
}

/// Our own offer with its ICE credentials replaced by `ufrag`: what v1 needs, and what browsers are
/// about to refuse.
pub fn munge_offer(offer: &str, ufrag: &str) -> Result<String, Error> {
    if offer.len() > MAX_SDP {
        return Err(Error::Sdp("too long"));
    }
    if !ufrag::is_password(ufrag) {
        return Err(Error::IceCredentials("malformed ufrag"));
    }
    let (mut ufrags, mut passwords) = (false, false);
    let mut munged = String::with_capacity(offer.len());
    for line in offer.lines() {
        if line.starts_with("a=ice-ufrag:") {
            ufrags = true;
            munged.push_str("a=ice-ufrag:");
            munged.push_str(ufrag);
        } else if line.starts_with("a=ice-pwd:") {
            passwords = true;
            munged.push_str("a=ice-pwd:");
            munged.push_str(ufrag);
        } else {
            munged.push_str(line);
        }
        munged.push_str("\r\n");
    }
    if !ufrags || !passwords {
        return Err(Error::Sdp("no ICE credentials"));
    }
    Ok(munged)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OFFER: &str = "v=0\r\no=- 5 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
        a=ice-ufrag:Xy+/\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=ice-options:trickle\r\n\
        a=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:FF\r\n\
        a=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n";

    fn address(host: Host) -> DialAddress {
        DialAddress {
            host,
            port: 4001,
            fingerprint: Fingerprint::from_digest([0xab; 32]),
            peer: None,
        }
    }

    #[test]
    fn reads_a_browsers_offer() {
        let local = LocalDescription::parse(OFFER).unwrap();
        assert_eq!(local.ufrag, "Xy+/");
        assert_eq!(local.password, "abcdefghijklmnopqrstuvwx");
        assert_eq!(local.fingerprint.digest()[31], 0xff);
        for missing in ["a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:"] {
            assert!(LocalDescription::parse(&OFFER.replace(missing, "a=x:")).is_err());
        }
        assert!(LocalDescription::parse(&OFFER.replace("uvwx", "u x")).is_err());
    }

    #[test]
    fn munges_both_credentials_and_nothing_else() {
        let ufrag = ufrag::new_v1();
        let munged = munge_offer(OFFER, &ufrag).unwrap();
        let local = LocalDescription::parse(&munged).unwrap();
        assert_eq!((&local.ufrag, &local.password), (&ufrag, &ufrag));
        let restored =
            munged
                .replacen(&ufrag, "Xy+/", 1)
                .replacen(&ufrag, "abcdefghijklmnopqrstuvwx", 1);
        assert_eq!(restored, OFFER);
        assert!(munge_offer("v=0\r\n", &ufrag).is_err());
        assert!(munge_offer(OFFER, "a\r\nb").is_err());
    }

    #[test]
    fn answers_for_the_server() {
        let ufrag = ufrag::new_v2("abcdefghijklmnopqrstuvwx").unwrap();
        let answer = server_answer(&address(Host::Ip("::1".parse().unwrap())), &ufrag).unwrap();
        assert!(answer.ends_with("a=end-of-candidates\r\n"));
        for line in [
            "m=application 4001 UDP/DTLS/SCTP webrtc-datachannel",
            "c=IN IP6 ::1",
            "a=setup:passive",
            "a=max-message-size:16384",
            "a=candidate:1 1 UDP 1 ::1 4001 typ host",
        ] {
            assert!(answer.lines().any(|found| found == line), "{line}");
        }
        let read = LocalDescription::parse(&answer).unwrap();
        assert_eq!((&read.ufrag, &read.password), (&ufrag, &ufrag));
        assert_eq!(read.fingerprint.digest(), &[0xab; 32]);
        assert!(server_answer(&address(Host::Dns("a.example".into())), "a\nb").is_err());
    }

    proptest! {
        #[test]
        fn any_text_never_panics(text in "(a=ice-ufrag:|a=ice-pwd:|a=fingerprint:sha-256 |\\PC|\r\n){0,40}") {
            let _ = LocalDescription::parse(&text);
            let _ = munge_offer(&text, "abcdefghijklmnopqrstuvwx");
        }
    }
}
