//! One ICE candidate (RFC 8839, section 5.1), and the JSON that a browser makes of it.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use serde_json::{Value, json};

use super::SignallingError;

/// RFC 8839, section 5.1: a foundation has up to 32 characters.
const MAX_FOUNDATION: usize = 32;

/// RFC 1035, section 2.3.4.
const MAX_LABEL: usize = 63;

/// Where a candidate is reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// An address; neither unspecified nor multicast.
    Ip(IpAddr),
    /// A name under `.local` in place of a local address, which browsers hide (draft-ietf-mmusic-mdns-ice-candidates).
    Mdns(String),
}

impl Address {
    fn parse(text: &str) -> Option<Self> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            let addressable =
                !ip.is_unspecified() && !ip.is_multicast() && ip != IpAddr::V4(Ipv4Addr::BROADCAST);
            return addressable.then_some(Self::Ip(ip));
        }
        let label = text.strip_suffix(".local")?;
        let allowed = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        let is_label = (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(allowed);
        is_label.then(|| Self::Mdns(text.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Mdns(name) => name.fmt(f),
        }
    }
}

/// How a candidate was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An address of the machine.
    Host,
    /// As a STUN server sees it.
    ServerReflexive,
    /// As the other peer sees it.
    PeerReflexive,
    /// A TURN server's address.
    Relayed,
}

impl Kind {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "host" => Self::Host,
            "srflx" => Self::ServerReflexive,
            "prflx" => Self::PeerReflexive,
            "relay" => Self::Relayed,
            _ => return None,
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relayed => "relay",
        }
    }
}

/// A UDP candidate of the only component.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Candidate {
    foundation: String,
    /// Larger is better.
    pub priority: u32,
    /// Where it is.
    pub address: Address,
    /// Not 0.
    pub port: u16,
    /// How it was found.
    pub kind: Kind,
}

impl Candidate {
    /// A candidate of our own; candidates with the same `foundation` were found alike.
    pub fn new(foundation: u32, priority: u32, address: IpAddr, port: u16, kind: Kind) -> Self {
        Self {
            foundation: foundation.to_string(),
            priority,
            address: Address::Ip(address),
            port,
            kind,
        }
    }

    /// Reads a candidate attribute, with or without `a=` before it. `None`: one that is not used here (TCP, another component,
    /// a host name, an address nobody has), or the end of the candidates, which is an empty text.
    ///
    /// # Errors
    /// `Candidate`, for what is no candidate.
    pub fn parse(attribute: &str) -> Result<Option<Self>, SignallingError> {
        let bad = SignallingError::Candidate;
        if attribute.is_empty() {
            return Ok(None);
        }
        let text = attribute.strip_prefix("a=").unwrap_or(attribute);
        let text = text.strip_prefix("candidate:").ok_or(bad("no candidate"))?;
        if text.is_empty() {
            return Ok(None);
        }
        let mut words = text.split(' ');
        let mut next = |what| {
            words
                .next()
                .filter(|word| !word.is_empty())
                .ok_or(bad(what))
        };
        let foundation = next("no foundation")?;
        let component = next("no component")?;
        let transport = next("no transport")?;
        let priority = next("no priority")?;
        let address = next("no address")?;
        let port = next("no port")?;
        let typ = next("no type")?;
        let kind = next("no type")?;

        let ice_char = |c: u8| c.is_ascii_alphanumeric() || c == b'+' || c == b'/';
        if foundation.len() > MAX_FOUNDATION || !foundation.bytes().all(ice_char) {
            return Err(bad("bad foundation"));
        }
        let component: u16 = component.parse().map_err(|_| bad("bad component"))?;
        let priority: u32 = priority.parse().map_err(|_| bad("bad priority"))?;
        let port: u16 = port.parse().map_err(|_| bad("bad port"))?;
        if typ != "typ" {
            return Err(bad("no type"));
        }
        let kind = Kind::parse(kind);
        let address = Address::parse(address);
        let (Some(kind), Some(address)) = (kind, address) else {
            return Ok(None);
        };
        let used = component == 1 && transport.eq_ignore_ascii_case("udp") && port != 0;
        Ok(used.then(|| Self {
            foundation: foundation.to_owned(),
            priority,
            address,
            port,
            kind,
        }))
    }

    /// The attribute, without `a=`. The address that a reflexive or relayed candidate was found from is nobody's
    /// business: it is written as absent, as browsers do.
    pub fn to_attribute(&self) -> String {
        let Self {
            foundation,
            priority,
            address,
            port,
            kind,
        } = self;
        let related = match (kind, address) {
            (Kind::Host, _) => "",
            (_, Address::Ip(IpAddr::V6(_))) => " raddr :: rport 0",
            _ => " raddr 0.0.0.0 rport 0",
        };
        let kind = kind.as_str();
        format!("candidate:{foundation} 1 udp {priority} {address} {port} typ {kind}{related}")
    }

    /// Reads the JSON of an `RTCIceCandidate`; only its `candidate` counts, as there is but one media section. No text at all
    /// ends the candidates, as `null` does (js-libp2p reads it so).
    ///
    /// # Errors
    /// As [`Candidate::parse`].
    pub fn from_json(json: &str) -> Result<Option<Self>, SignallingError> {
        if json.is_empty() {
            return Ok(None);
        }
        let value =
            serde_json::from_str(json).map_err(|_| SignallingError::Candidate("it is not JSON"))?;
        match value {
            // The end of the candidates.
            Value::Null | Value::String(_) => Ok(None),
            Value::Object(fields) => match fields.get("candidate") {
                Some(Value::String(attribute)) => Self::parse(attribute),
                _ => Err(SignallingError::Candidate("it has no candidate")),
            },
            _ => Err(SignallingError::Candidate("it is not an object")),
        }
    }

    /// As a browser's `RTCIceCandidate.toJSON()` would give it.
    pub fn to_json(&self, mid: &str, ufrag: &str) -> String {
        json!({
            "candidate": self.to_attribute(),
            "sdpMid": mid,
            "sdpMLineIndex": 0,
            "usernameFragment": ufrag,
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CHROMIUM: &str = "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 192.168.0.9 rport 46154 generation 0 ufrag EsAw network-cost 999";
    const FIREFOX: &str =
        "candidate:0 1 UDP 2122252543 8d2e35d5-7bd8-4f3e-a1f4-2cf5cc1a0e55.local 55555 typ host";

    fn parse(text: &str) -> Candidate {
        Candidate::parse(text).unwrap().unwrap()
    }

    #[test]
    fn reads_what_browsers_write() {
        let candidate = parse(CHROMIUM);
        assert_eq!(
            candidate.address,
            Address::Ip("203.0.113.7".parse().unwrap())
        );
        assert_eq!(candidate.kind, Kind::ServerReflexive);
        assert_eq!(parse(FIREFOX).kind, Kind::Host);
        assert!(
            matches!(parse(FIREFOX).address, Address::Mdns(name) if name.ends_with("55.local"))
        );
        let json = r#"{"candidate":"candidate:1 1 udp 5 ::1 9 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"a"}"#;
        let candidate = Candidate::from_json(json).unwrap().unwrap();
        let value = |json: &str| serde_json::from_str::<Value>(json).unwrap();
        assert_eq!(value(&candidate.to_json("0", "a")), value(json));
    }

    #[test]
    fn writes_no_address_behind_the_reflexive_one() {
        assert_eq!(
            parse(CHROMIUM).to_attribute(),
            "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 0.0.0.0 rport 0"
        );
    }

    #[test]
    fn passes_over_what_is_not_used() {
        for unused in [
            "",
            "candidate:",
            "candidate:1 1 tcp 1518280447 10.0.0.1 9 typ host tcptype active",
            "candidate:1 2 udp 1 10.0.0.1 9 typ host",
            "candidate:1 1 udp 1 10.0.0.1 0 typ host",
            "candidate:1 1 udp 1 0.0.0.0 9 typ host",
            "candidate:1 1 udp 1 224.0.0.251 5353 typ host",
            "candidate:1 1 udp 1 255.255.255.255 9 typ host",
            "candidate:1 1 udp 1 ff02::1 9 typ host",
            "candidate:1 1 udp 1 fe80::1%eth0 9 typ host",
            "candidate:1 1 udp 1 router.lan 9 typ host",
            "candidate:1 1 udp 1 a.b.local 9 typ host",
            "candidate:1 1 udp 1 10.0.0.1 9 typ new",
        ] {
            assert_eq!(Candidate::parse(unused), Ok(None), "{unused}");
        }
        assert_eq!(Candidate::from_json(""), Ok(None));
        assert_eq!(Candidate::from_json("null"), Ok(None));
        assert_eq!(Candidate::from_json("\"\""), Ok(None));
    }

    #[test]
    fn refuses_what_is_no_candidate() {
        for bad in [
            "x",
            "candidate:1",
            "candidate:1 1 udp 1 10.0.0.1 9 host",
            "candidate:1 1 udp -1 10.0.0.1 9 typ host",
            "candidate:1 1 udp 1 10.0.0.1 70000 typ host",
            "candidate:\r\na=x 1 udp 1 10.0.0.1 9 typ host",
            "candidate:1  udp 1 10.0.0.1 9 typ host",
        ] {
            assert!(Candidate::parse(bad).is_err(), "{bad}");
        }
        for bad in ["{", "{}", "[]", "7", r#"{"candidate":7}"#] {
            assert!(Candidate::from_json(bad).is_err(), "{bad}");
        }
        let deep = "[".repeat(4000);
        assert!(Candidate::from_json(&deep).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_holds_only_what_was_read(text in "candidate:[ -~\r\n]{0,120}") {
            if let Ok(Some(candidate)) = Candidate::parse(&text) {
                let written = candidate.to_attribute();
                prop_assert!(written.bytes().all(|c| (b' '..0x7f).contains(&c)));
                prop_assert!(written.len() < 200);
                prop_assert_eq!(parse(&written), candidate);
            }
        }

        #[test]
        fn any_candidate_survives(
            ip in any::<[u8; 4]>(), port in 1u16.., priority in any::<u32>(), foundation in "[a-zA-Z0-9+/]{1,32}",
            kind in prop::sample::select(vec!["host", "srflx", "prflx", "relay"]),
            extra in "( [a-z]{1,9} [!-~]{1,9}){0,4}",
        ) {
            let ip = IpAddr::from(ip);
            let text = format!("candidate:{foundation} 1 UDP {priority} {ip} {port} typ {kind}{extra}");
            let candidate = Candidate::parse(&text).unwrap();
            if let Some(candidate) = candidate {
                prop_assert_eq!(parse(&candidate.to_attribute()), candidate.clone());
                let json = candidate.to_json("0", "u");
                prop_assert_eq!(Candidate::from_json(&json).unwrap().unwrap(), candidate);
            } else {
                prop_assert!(ip.is_multicast() || ip.is_unspecified() || ip == IpAddr::V4(Ipv4Addr::BROADCAST));
            }
        }

        #[test]
        fn garbage_never_panics(text in "\\PC{0,200}") {
            let _ = Candidate::parse(&text);
            let _ = Candidate::from_json(&text);
        }
    }
}
