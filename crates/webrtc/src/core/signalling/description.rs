//! A session description of one data-channel section (RFC 8866, RFC 8839, RFC 8841, RFC 8842), as typed fields.

use super::Candidate;
use crate::{
    Error,
    core::{certhash::Fingerprint, ufrag},
    limits::{MAX_SENT_FRAME, MAX_SIGNALLED_CANDIDATES, MAX_SIGNALLING_MESSAGE},
};

/// Who opens the DTLS session (RFC 8842).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// Either; the other side decides.
    Either,
    /// The one described.
    Active,
    /// The other one.
    Passive,
}

impl Setup {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "actpass" => Self::Either,
            "active" => Self::Active,
            "passive" => Self::Passive,
            _ => return None,
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Either => "actpass",
            Self::Active => "active",
            Self::Passive => "passive",
        }
    }
}

/// One side's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Names the section: 1 to [`MAX_MID`] token characters.
    pub mid: String,
    /// ICE user name fragment.
    pub ufrag: String,
    /// ICE password.
    pub password: String,
    /// The certificate. On this the security of the connection rests.
    pub fingerprint: Fingerprint,
    /// Who opens the DTLS session.
    pub setup: Setup,
    /// Not 0.
    pub sctp_port: u16,
    /// Largest message it takes; 0: any.
    pub max_message_size: u64,
    /// Candidates known already, at most [`MAX_SIGNALLED_CANDIDATES`].
    pub candidates: Vec<Candidate>,
}

/// Browsers and libdatachannel use `0`; others use up to a few characters.
const MAX_MID: usize = 16;

/// RFC 8841, section 6.1: what a description without `max-message-size` means.
const DEFAULT_MAX_MESSAGE_SIZE: u64 = 64 * 1024;

impl Description {
    /// Reads a description. Attributes may be of the session or of its one section.
    ///
    /// # Errors
    /// `Sdp`, `Signalling` (a malformed candidate), `IceCredentials`, `Certhash`.
    pub fn parse(sdp: &str) -> Result<Self, Error> {
        if sdp.len() > MAX_SIGNALLING_MESSAGE {
            return Err(Error::Sdp("too long"));
        }
        if !sdp.starts_with("v=0") {
            return Err(Error::Sdp("no session description"));
        }
        let mut sections = sdp.lines().filter_map(|line| line.strip_prefix("m="));
        let section = sections.next().ok_or(Error::Sdp("no section"))?;
        if sections.next().is_some() {
            return Err(Error::Sdp("more than one section"));
        }
        let mut words = section.split(' ');
        let is_application = words.next() == Some("application");
        // 0 would be a section refused (RFC 3264, section 6).
        let port = words.next().and_then(|port| port.parse::<u16>().ok());
        let rest: Vec<&str> = words.take(3).collect();
        if !is_application
            || port.is_none_or(|port| port == 0)
            || rest != ["UDP/DTLS/SCTP", "webrtc-datachannel"]
        {
            return Err(Error::Sdp("not a data channel section"));
        }
        let find = |name: &str| {
            sdp.lines()
                .find_map(|line| line.strip_prefix("a=")?.strip_prefix(name))
        };
        let mid = find("mid:").ok_or(Error::Sdp("no mid"))?;
        let token = |c: u8| c.is_ascii_alphanumeric() || b"-._".contains(&c);
        if mid.is_empty() || mid.len() > MAX_MID || !mid.bytes().all(token) {
            return Err(Error::Sdp("malformed mid"));
        }
        let ufrag = find("ice-ufrag:").ok_or(Error::Sdp("no ice-ufrag"))?;
        let password = find("ice-pwd:").ok_or(Error::Sdp("no ice-pwd"))?;
        if !ufrag::is_ufrag(ufrag) || !ufrag::is_password(password) {
            return Err(Error::Sdp("malformed ICE credentials"));
        }
        // There may be several, made with different hashes (RFC 8122, section 5).
        let fingerprint = sdp
            .lines()
            .filter_map(|line| line.strip_prefix("a=fingerprint:"))
            .find_map(|text| Fingerprint::from_sdp(text).ok())
            .ok_or(Error::Sdp("no SHA-256 fingerprint"))?;
        let setup = find("setup:")
            .and_then(Setup::parse)
            .ok_or(Error::Sdp("no setup"))?;
        let sctp_port = find("sctp-port:")
            .and_then(|port| port.parse().ok())
            .filter(|port| *port != 0)
            .ok_or(Error::Sdp("no sctp-port"))?;
        let max_message_size = match find("max-message-size:") {
            Some(size) => size
                .parse()
                .map_err(|_| Error::Sdp("malformed max-message-size"))?,
            None => DEFAULT_MAX_MESSAGE_SIZE,
        };
        if (1..MAX_SENT_FRAME as u64).contains(&max_message_size) {
            return Err(Error::Sdp("it takes smaller messages than libp2p sends"));
        }
        let mut candidates = Vec::new();
        for line in sdp.lines().filter(|line| line.starts_with("a=candidate:")) {
            if candidates.len() >= MAX_SIGNALLED_CANDIDATES {
                break;
            }
            candidates.extend(Candidate::parse(line)?);
        }
        Ok(Self {
            mid: mid.to_owned(),
            ufrag: ufrag.to_owned(),
            password: password.to_owned(),
            fingerprint,
            setup,
            sctp_port,
            max_message_size,
            candidates,
        })
    }

    /// The description in words, candidates last.
    pub fn to_sdp(&self) -> String {
        let Self {
            mid,
            ufrag,
            password,
            fingerprint,
            setup,
            sctp_port,
            max_message_size,
            candidates,
        } = self;
        let mut lines = vec![
            "v=0".to_owned(),
            "o=- 0 0 IN IP4 0.0.0.0".to_owned(),
            "s=-".to_owned(),
            "t=0 0".to_owned(),
            format!("a=group:BUNDLE {mid}"),
            // The discard port: candidates say where (RFC 8839, section 4.3.1).
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel".to_owned(),
            "c=IN IP4 0.0.0.0".to_owned(),
            format!("a=ice-ufrag:{ufrag}"),
            format!("a=ice-pwd:{password}"),
            "a=ice-options:trickle".to_owned(),
            format!("a=fingerprint:{fingerprint}"),
            format!("a=setup:{}", setup.as_str()),
            format!("a=mid:{mid}"),
            format!("a=sctp-port:{sctp_port}"),
            format!("a=max-message-size:{max_message_size}"),
        ];
        lines.extend(
            candidates
                .iter()
                .map(|candidate| format!("a={}", candidate.to_attribute())),
        );
        lines.push(String::new());
        lines.join("\r\n")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As Chromium 156 writes it.
    pub(in super::super) const CHROMIUM: &str = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        a=group:BUNDLE 0\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
        a=ice-ufrag:Xy+/\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=ice-options:trickle\r\n\
        a=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:FF\r\n\
        a=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n";

    /// Session-level attributes, as Firefox writes them.
    const FIREFOX: &str = "v=0\r\no=mozilla...THIS_IS_SDPARTA-99.0 5 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n\
        a=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:FF\r\n\
        a=group:BUNDLE 0\r\na=ice-options:trickle\r\na=msid-semantic:WMS *\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=sendrecv\r\n\
        a=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=ice-ufrag:Xy+/\r\na=mid:0\r\na=setup:active\r\n\
        a=sctp-port:5000\r\na=max-message-size:1073741823\r\n";

    #[test]
    fn reads_browsers_and_writes_itself() {
        for (sdp, setup) in [(CHROMIUM, Setup::Either), (FIREFOX, Setup::Active)] {
            let description = Description::parse(sdp).unwrap();
            assert_eq!((description.mid.as_str(), description.setup), ("0", setup));
            assert_eq!(description.ufrag, "Xy+/");
            assert_eq!(description.fingerprint.digest()[31], 0xff);
            assert_eq!(
                Description::parse(&description.to_sdp()).unwrap(),
                description
            );
        }
        let with_candidates = format!(
            "{CHROMIUM}a=candidate:1 1 udp 5 10.0.0.1 9 typ host\r\na=end-of-candidates\r\n"
        );
        let description = Description::parse(&with_candidates).unwrap();
        assert_eq!(description.candidates.len(), 1);
        assert_eq!(
            Description::parse(&description.to_sdp()).unwrap(),
            description
        );
    }

    #[test]
    fn passes_nothing_on_that_it_does_not_know() {
        let hostile = CHROMIUM.replace(
            "a=mid:0\r\n",
            "a=mid:0\r\na=ice-lite\r\na=identity:x\r\na=candidate:1 1 tcp 5 10.0.0.1 22 typ host tcptype passive\r\n",
        );
        let written = Description::parse(&hostile).unwrap().to_sdp();
        for absent in ["ice-lite", "identity", "10.0.0.1"] {
            assert!(!written.contains(absent), "{absent}");
        }
    }

    #[test]
    fn refuses_what_lacks_a_line_or_has_a_bad_one() {
        for line in [
            "v=0",
            "m=",
            "a=mid:",
            "a=ice-ufrag:",
            "a=ice-pwd:",
            "a=fingerprint:",
            "a=setup:",
            "a=sctp-port:",
        ] {
            assert!(
                Description::parse(&CHROMIUM.replace(line, "a=x:")).is_err(),
                "{line}"
            );
        }
        for (from, to) in [
            ("sha-256", "sha-1"),
            ("UDP/DTLS/SCTP", "UDP/TLS/RTP/SAVPF"),
            ("application 9", "application 0"),
            ("application 9", "audio 9"),
            ("a=mid:0", "a=mid:a b"),
            ("a=mid:0", "a=mid:01234567890123456"),
            ("a=sctp-port:5000", "a=sctp-port:0"),
            ("size:262144", "size:-1"),
            ("size:262144", "size:1000"),
            ("actpass", "holdconn"),
            ("uvwx", "u x"),
            ("a=mid:0", "a=candidate:1 1 udp x\r\na=mid:0"),
            (
                "a=mid:0",
                "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0",
            ),
        ] {
            assert!(
                Description::parse(&CHROMIUM.replace(from, to)).is_err(),
                "{from} -> {to}"
            );
        }
        let long = format!("{CHROMIUM}{}", "a=x\r\n".repeat(MAX_SIGNALLING_MESSAGE));
        assert!(matches!(
            Description::parse(&long),
            Err(Error::Sdp("too long"))
        ));
    }

    #[test]
    fn takes_a_bounded_number_of_candidates() {
        let many = format!(
            "{CHROMIUM}{}",
            "a=candidate:1 1 udp 5 10.0.0.1 9 typ host\r\n".repeat(300)
        );
        let description = Description::parse(&many).unwrap();
        assert_eq!(description.candidates.len(), MAX_SIGNALLED_CANDIDATES);
    }

    proptest! {
        #[test]
        fn a_damaged_description_is_refused_or_harmless(at in 0..CHROMIUM.len(), with in "\\PC{0,20}|\r\n[ -~]{0,20}\r\n") {
            let (before, after) = CHROMIUM.split_at(at);
            if let Ok(description) = Description::parse(&format!("{before}{with}{after}")) {
                let written = description.to_sdp();
                prop_assert!(written.bytes().all(|c| (b' '..0x7f).contains(&c) || c == b'\r' || c == b'\n'));
                prop_assert_eq!(Description::parse(&written).unwrap(), description);
            }
        }

        #[test]
        fn garbage_never_panics(text in "(v=0|m=application 9 |a=|mid:|ice-ufrag:|\\PC|\r\n){0,60}") {
            let _ = Description::parse(&text);
        }
    }
}
