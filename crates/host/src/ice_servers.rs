//! Which STUN servers tell this browser how the world sees it, for `/webrtc`.

use std::net::Ipv6Addr;

use crate::{Area, Platform, Value, limits::MAX_ICE_SERVERS, slots};

/// Where the user's choice is kept: one `stun:host:port` a line; empty for none.
const ICE_SERVERS: &str = "iceServers";

/// Public servers of two operators. They see this machine's public address, as every site that it visits does, and
/// nothing of what is said. They are asked only when a connection by `/webrtc` is made.
const DEFAULT: &[&str] = &[
    "stun:stun.cloudflare.com:3478",
    "stun:stun.l.google.com:19302",
];

/// Longest name of a server: a host name (RFC 1035, section 2.3.4), scheme and port.
const MAX_URL: usize = 255 + 16;

/// The servers to ask.
pub(crate) async fn stored(platform: &dyn Platform) -> Vec<String> {
    match slots::get(platform, Area::Storage, ICE_SERVERS).await {
        Ok(Some(Value::Text(lines))) => parse(&lines),
        // Whoever chose none must not be given some because the choice could not be read.
        Ok(Some(_)) | Err(_) => Vec::new(),
        Ok(None) => DEFAULT.iter().map(|&url| url.to_owned()).collect(),
    }
}

/// Leaves out what is none: a browser would refuse to make any connection with it.
fn parse(lines: &str) -> Vec<String> {
    lines
        .lines()
        .map(str::trim)
        .filter(|url| is_stun(url))
        .take(MAX_ICE_SERVERS)
        .map(str::to_owned)
        .collect()
}

fn is_stun(url: &str) -> bool {
    let Some(server) = url.strip_prefix("stun:") else {
        return false;
    };
    let (host_is, port) = match server.strip_prefix('[').and_then(|it| it.split_once(']')) {
        Some((host, port)) => (host.parse::<Ipv6Addr>().is_ok(), port),
        None => {
            let end = server.find(':').unwrap_or(server.len());
            let (host, port) = server.split_at_checked(end).unwrap_or((server, ""));
            let allowed = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
            let is_label = |label: &str| !label.is_empty() && label.bytes().all(allowed);
            (host.split('.').all(is_label), port)
        }
    };
    let digits = |port: &str| port.bytes().all(|c| c.is_ascii_digit());
    let port_is = match port.strip_prefix(':') {
        Some(port) => digits(port) && port.parse::<u16>().is_ok_and(|port| port != 0),
        None => port.is_empty(),
    };
    url.len() <= MAX_URL && host_is && port_is
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::support::{Memory, run};

    #[test]
    fn the_users_choice_counts_and_none_is_one() {
        run(false, async {
            let platform = Memory::new();
            assert_eq!(stored(&*platform).await, DEFAULT);
            let put = |text: &str| platform.put(Area::Storage, ICE_SERVERS, Value::text(text));
            put("stun:stun.example:3478\n  stun:[2001:db8::1]:3478\nstun:one.example\n");
            let own = [
                "stun:stun.example:3478",
                "stun:[2001:db8::1]:3478",
                "stun:one.example",
            ];
            assert_eq!(stored(&*platform).await, own);
            put("");
            assert!(stored(&*platform).await.is_empty());
            platform.put(Area::Storage, ICE_SERVERS, Value::Bool(true));
            assert!(stored(&*platform).await.is_empty());
        });
    }

    #[test]
    fn what_is_no_server_is_left_out() {
        for bad in [
            "https://stun.example",
            "stun:",
            "stun::3478",
            "stun:a b",
            "stun:a:0",
            "stun:a:70000",
            "stun:a?transport=udp",
            "stun:a:+1",
            "stun:a:",
            "stun:a:b:1",
            "stun:2001:db8::1",
            "stun:[::",
            "stun:[::1",
            "stun:[a]",
            "stun:[::1]1",
            "stun:a]b",
            "stun:..",
        ] {
            assert!(parse(bad).is_empty(), "{bad}");
        }
        let many = "stun:a.example\n".repeat(50);
        assert_eq!(parse(&many).len(), MAX_ICE_SERVERS);
    }
}
