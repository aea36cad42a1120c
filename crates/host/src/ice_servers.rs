//! Which STUN servers tell this browser how the world sees it, for `/webrtc`, and which TURN servers may relay.

use std::{
    cell::{Cell, RefCell},
    net::Ipv6Addr,
};

use mooring_api::{ErrorCode, ErrorObject};
use mooring_node::{IceServer, IceServers};

use crate::{
    Area, Platform, Value,
    error::error,
    host::Core,
    limits::{MAX_ICE_CREDENTIAL, MAX_ICE_SERVERS},
    slots,
};

/// Where the user's choice is kept: one server a line, as [`parse`] reads it; empty for none.
const ICE_SERVERS: &str = "iceServers";

/// Public servers of two operators. They see this machine's public address, as every site that it visits does, and
/// nothing of what is said. They are asked only when a connection by `/webrtc` is made.
const DEFAULT: &[&str] = &[
    "stun:stun.cloudflare.com:3478",
    "stun:stun.l.google.com:19302",
];

/// Longest name of a server: a host name (RFC 1035, section 2.3.4) and port.
const MAX_SERVER: usize = 255 + 6;

/// The servers that are asked.
#[derive(Default)]
pub(crate) struct Servers {
    lines: RefCell<Vec<String>>,
    /// Shared with the node.
    asked: IceServers,
    /// Lines are what is stored, or chosen since.
    known: Cell<bool>,
}

impl Servers {
    /// Reads what is stored, unless that is known. What the node is to have, also when the user chooses anew.
    pub(crate) async fn read(&self, platform: &dyn Platform) -> IceServers {
        if !self.known.get() {
            let (lines, known) = stored(platform).await;
            // The user may have chosen meanwhile.
            if !self.known.get() {
                self.known.set(known);
                self.ask(lines);
            }
        }
        self.asked.clone()
    }

    /// As the user wrote them.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    /// The user chose; `None`: the default.
    pub(crate) async fn choose(
        &self,
        core: &Core,
        lines: Option<Vec<String>>,
    ) -> Result<(), ErrorObject> {
        let unstored = |fault: crate::Error| {
            error(ErrorCode::Internal, "The servers could not be stored.")
                .with_detail(fault.to_string())
        };
        let lines = match lines {
            None => {
                slots::remove(&*core.platform, Area::Storage, ICE_SERVERS)
                    .await
                    .map_err(unstored)?;
                default()
            }
            Some(lines) => {
                let lines = check(&lines)?;
                let text = lines.join("\n");
                slots::set(&*core.platform, Area::Storage, ICE_SERVERS, &text)
                    .await
                    .map_err(unstored)?;
                lines
            }
        };
        self.known.set(true);
        self.ask(lines);
        core.changed.notify();
        Ok(())
    }

    fn ask(&self, lines: Vec<String>) {
        self.asked
            .set(lines.iter().filter_map(|line| parse(line)).collect());
        *self.lines.borrow_mut() = lines;
    }
}

fn default() -> Vec<String> {
    DEFAULT.iter().map(|&url| url.to_owned()).collect()
}

/// What is stored, and whether it could be read.
async fn stored(platform: &dyn Platform) -> (Vec<String>, bool) {
    match slots::get(platform, Area::Storage, ICE_SERVERS).await {
        // A browser would refuse to make any connection with what is no server.
        Ok(Some(Value::Text(text))) => {
            let valid = text
                .lines()
                .map(str::trim)
                .filter(|line| parse(line).is_some());
            let valid = valid.take(MAX_ICE_SERVERS).map(str::to_owned).collect();
            (valid, true)
        }
        // Whoever chose none must not be given some because the choice could not be read.
        Ok(Some(_)) => (Vec::new(), true),
        Err(_) => (Vec::new(), false),
        Ok(None) => (default(), true),
    }
}

/// The lines that are not empty, if all of them are servers. The error does not repeat them: there may be passwords.
fn check(lines: &[String]) -> Result<Vec<String>, ErrorObject> {
    let mut servers = Vec::new();
    for (number, line) in (1_usize..).zip(lines) {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.is_empty() {
            continue;
        }
        if parse(&line).is_none() {
            let words = format!(
                "Line {number} names no server. Write stun:host:port, or turn:host:port name password."
            );
            return Err(error(ErrorCode::InvalidParams, &words));
        }
        if servers.len() >= MAX_ICE_SERVERS {
            let words = format!("No more than {MAX_ICE_SERVERS} servers can be asked.");
            return Err(error(ErrorCode::InvalidParams, &words));
        }
        servers.push(line);
    }
    Ok(servers)
}

/// `stun:host[:port]`, or `turn[s]:host[:port][?transport=udp|tcp] name password`.
fn parse(line: &str) -> Option<IceServer> {
    let mut words = line.split_whitespace();
    let url = words.next()?;
    let (scheme, server) = url.split_once(':')?;
    let credentials = match scheme {
        "stun" if is_server(server) => None,
        "turn" | "turns" => {
            let (server, query) = server.split_once('?').unwrap_or((server, ""));
            if !is_server(server) || !matches!(query, "" | "transport=udp" | "transport=tcp") {
                return None;
            }
            let (name, password) = (words.next()?, words.next()?);
            if name.len() > MAX_ICE_CREDENTIAL || password.len() > MAX_ICE_CREDENTIAL {
                return None;
            }
            Some((name.to_owned(), password.to_owned()))
        }
        _ => return None,
    };
    let url = url.to_owned();
    words
        .next()
        .is_none()
        .then_some(IceServer { url, credentials })
}

/// `host[:port]`
fn is_server(server: &str) -> bool {
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
    server.len() <= MAX_SERVER && host_is && port_is
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        tests::support::{Memory, World, run},
        value::Value,
    };
    use mooring_api::popup::Command;

    async fn lines(platform: &Memory) -> Vec<String> {
        stored(platform).await.0
    }

    #[test]
    fn a_choice_is_checked_kept_and_asked_at_once() {
        run(true, async {
            let platform = Memory::new();
            let world = World::on(platform.clone()).await;
            world.node_is("online").await;
            let popup = world.popup();
            let asked = world.host.core().ice_servers.asked.clone();
            assert_eq!(asked.get().len(), DEFAULT.len());
            let choose = async |lines: Option<&[&str]>| {
                let servers = lines.map(|lines| lines.iter().map(|&it| it.into()).collect());
                popup.command(Command::SetIceServers { servers }).await
            };
            let turn = "turn:relay.example:3478?transport=tcp boat secret";
            choose(Some(&[
                "",
                "stun:a.example",
                " turn:relay.example:3478?transport=tcp  boat secret ",
            ]))
            .await
            .unwrap();
            popup
                .snapshot(|it| it.ice_servers == ["stun:a.example", turn])
                .await;
            assert_eq!(lines(&platform).await, ["stun:a.example", turn]);
            let own = asked.get();
            assert_eq!(own[1].url, "turn:relay.example:3478?transport=tcp");
            assert_eq!(own[1].credentials, Some(("boat".into(), "secret".into())));
            assert!(!format!("{own:?}").contains("secret"));
            // What cannot be is said, by its line and without the password, and changes nothing.
            for bad in [
                "turn:relay.example boat",
                "turn:a?x b secret",
                "stun:a secret",
            ] {
                let refused = choose(Some(&["stun:b.example", bad])).await.unwrap_err();
                assert_eq!(refused.code, ErrorCode::InvalidParams);
                assert!(refused.message.contains("Line 2") && !refused.message.contains("secret"));
            }
            assert!(choose(Some(&["stun:a.example"; 5])).await.is_err());
            platform.broken.set(true);
            assert!(choose(Some(&[])).await.is_err());
            platform.broken.set(false);
            assert_eq!(asked.get(), own);
            // None at all is a choice that lasts; so is the default.
            choose(Some(&[])).await.unwrap();
            assert!(asked.get().is_empty());
            let again = World::on(platform.clone()).await;
            again.node_is("online").await;
            assert!(again.host.core().ice_servers.asked.get().is_empty());
            choose(None).await.unwrap();
            assert_eq!(asked.get().len(), DEFAULT.len());
            assert_eq!(lines(&platform).await, DEFAULT);
        });
    }

    #[test]
    fn the_users_choice_counts_and_none_is_one() {
        run(false, async {
            let platform = Memory::new();
            assert_eq!(lines(&platform).await, DEFAULT);
            let put = |text: &str| platform.put(Area::Storage, ICE_SERVERS, Value::text(text));
            put("stun:stun.example:3478\n  stun:[2001:db8::1]:3478\nstun:one.example\n");
            let own = [
                "stun:stun.example:3478",
                "stun:[2001:db8::1]:3478",
                "stun:one.example",
            ];
            assert_eq!(lines(&platform).await, own);
            put("");
            assert!(lines(&platform).await.is_empty());
            platform.put(Area::Storage, ICE_SERVERS, Value::Bool(true));
            assert!(lines(&platform).await.is_empty());
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
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
