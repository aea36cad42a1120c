//! Flags and configuration files that cannot work: one line that says why, code 2, nothing written.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod common;

use common::refusal;
use mooring_server::{BOUNDS, node::Limits};

const PEER: &str = "12D3KooWF8Q5xmdSjSkUtJC2KCE5dvNPnKqvHv4cR2MTTG13EYug";

#[test]
fn flags() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    let with_peer = format!("/ip4/127.0.0.1/tcp/0/p2p/{PEER}");
    let webrtc_without_hash = format!("/ip4/127.0.0.1/udp/9/webrtc-direct/p2p/{PEER}");
    let quic_peer = format!("/ip4/127.0.0.1/udp/9/quic-v1/p2p/{PEER}");
    let table: &[(&[&str], &str)] = &[
        (&["--bogus"], "unknown argument --bogus"),
        (&["--lissten", "x"], "did you mean --listen?"),
        (&["stray"], "unknown argument stray"),
        (&["--new\nline"], "unknown argument --new\\nline"),
        (&["--listen"], "--listen <MULTIADDR> needs a value"),
        (
            &["--listen", "hello"],
            "--listen: \"hello\" is not a multiaddr",
        ),
        (&["--listen", ""], "it must be /ip4/"),
        (&["--listen", "127.0.0.1:4815"], "is not a multiaddr"),
        (
            &["--listen", "/ip4/300.0.0.1/tcp/1"],
            "invalid IPv4 address",
        ),
        (
            &["--listen", "/ip4/127.0.0.1/udp/99999/webrtc-direct"],
            "is not a multiaddr",
        ),
        (&["--listen", "/ip4/127.0.0.1/udp/4815"], "it must be /ip4/"),
        (
            &["--listen", "/dns4/localhost/tcp/4815"],
            "it must be /ip4/",
        ),
        (&["--listen", "/dns4/a\nb/tcp/1"], "it must be /ip4/"),
        (
            &["--listen", "/ip4/127.0.0.1/udp/0/quic-v1"],
            "does not listen on QUIC",
        ),
        (&["--listen", "/ip4/127.0.0.1/tcp/0/wss"], "does no TLS"),
        (
            &["--listen", &with_peer],
            "leave out /certhash/… and /p2p/…",
        ),
        (
            &[
                "--listen",
                "/ip4/127.0.0.1/tcp/4",
                "--listen",
                "/ip4/0.0.0.0/tcp/4/ws",
            ],
            "has the same port",
        ),
        (
            &["--external", "nowhere"],
            "--external: \"nowhere\" is not a multiaddr",
        ),
        (
            &["--external", "/ip4/0.0.0.0/tcp/4815"],
            "write the real one",
        ),
        (&["--external", "/ip4/192.0.2.1/tcp/0"], "port 0"),
        (&["--external", &with_peer], "leave out /p2p/"),
        (
            &["--bootstrap", "/ip4/127.0.0.1/tcp/4815"],
            "must end in /p2p/<peer id>",
        ),
        (
            &["--bootstrap", "/ip4/127.0.0.1/tcp/4815/p2p/me"],
            "is not a multiaddr",
        ),
        (
            &["--bootstrap", &webrtc_without_hash],
            "needs the /certhash/…",
        ),
        (&["--bootstrap", &quic_peer], "can dial only"),
        (
            &["--enable", "teleport"],
            "--enable: \"teleport\" is not one of echo, perf",
        ),
        (&["--enable", "echo,"], "\"\" is not one of echo, perf"),
        (
            &["--metrics", "localhost:9464"],
            "--metrics: \"localhost:9464\" is not an IP address with a port; write one like 127.0.0.1:9464",
        ),
        (
            &["--metrics", "127.0.0.1"],
            "is not an IP address with a port",
        ),
        (&["--log-format", "xml"], "not one of text, json"),
        (&["--log", "mooring=silly"], "not a log filter"),
        (&["--data-dir", ""], "--data-dir <DIR> needs a value"),
        (
            &["--data-dir", "a", "--data-dir", "b"],
            "--data-dir <DIR> can be given only once",
        ),
        (
            &["--config", "missing.toml"],
            "cannot read the configuration file missing.toml",
        ),
        (&["--config", "folder"], "not a regular file"),
        (&["--version=1"], "takes no value"),
    ];
    for (args, expected) in table {
        // Named, so that one that is made too early is seen.
        let mut args = args.to_vec();
        if !args.contains(&"--data-dir") {
            args.extend(["--data-dir", "data"]);
        }
        let line = refusal(folder.path(), &args);
        assert!(line.contains(expected), "{args:?}: {line}");
    }
}

#[test]
fn numbers() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("etc")).unwrap();
    let file = folder.path().join("etc/server.toml");
    std::fs::write(&file, "").unwrap();
    for bound in BOUNDS {
        let (name, least, most) = (bound.name, bound.range.start(), bound.range.end());
        let allowed = format!("is not a whole number from {least} to {most}");
        let (below, above) = ((least - 1).to_string(), (most + 1).to_string());
        for value in [below.as_str(), &above, "many", "1.5", "-1"] {
            let flag = format!("--{name}={value}");
            let line = refusal(folder.path(), &[&flag, "--data-dir", "data"]);
            assert!(
                line.contains(&format!("--{name}: \"{value}\" {allowed}")),
                "{line}"
            );
        }
        for value in [&below, &above] {
            std::fs::write(&file, format!("\n{name} = {value}\n")).unwrap();
            let line = refusal(folder.path(), &["--config", "etc/server.toml"]);
            assert!(
                line.contains(&format!("server.toml:2: {name}: \"{value}\" {allowed}")),
                "{line}"
            );
        }
    }
    std::fs::write(&file, "relay-circuits = \"many\"").unwrap();
    let line = refusal(folder.path(), &["--config", "etc/server.toml"]);
    assert!(line.contains("server.toml:1: "), "{line}");
}

#[test]
fn help_tells_every_number_and_its_default() {
    let folder = tempfile::tempdir().unwrap();
    let output = common::command(folder.path())
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for bound in BOUNDS {
        let default = bound.of(&Limits::server());
        let (_, behind) = help
            .split_once(&format!("--{} <", bound.name))
            .unwrap_or_else(|| panic!("{} is missing", bound.name));
        let own = behind.split("--").next().unwrap();
        let own = own.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            own.contains(&format!("[default: {default}]")),
            "{}: {own}",
            bound.name
        );
    }
}

#[test]
fn not_utf8() {
    use std::os::unix::ffi::OsStringExt;
    let folder = tempfile::tempdir().unwrap();
    let output = common::command(folder.path())
        .arg(std::ffi::OsString::from_vec(b"--listen=\xff".to_vec()))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "mooring-server: an argument is not UTF-8; see mooring-server --help\n"
    );
}

#[test]
fn configuration_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    let table: &[(&[u8], &str)] = &[
        (b"listen = [\n", "server.toml:1: "),
        (b"\n\nlisten = [\"/ip4/127.0.0.1/tcp/0\"", "server.toml:3: "),
        (b"this is not toml", "server.toml:1: "),
        (b"\n= 1", "server.toml:2: "),
        (b"\nlisten = \"/ip4/127.0.0.1/tcp/0\"", "server.toml:2: "),
        (b"listen = [1]", "server.toml:1: "),
        (b"listen = []", "names no address to listen on"),
        (
            b"listen = [\n \"/ip4/127.0.0.1/tcp/0\",\n \"hello\"]",
            "server.toml:3: listen: \"hello\"",
        ),
        (
            b"listen = [\"/ip4/127.0.0.1/udp/0/quic-v1\"]",
            "does not listen on QUIC",
        ),
        (
            b"listen = [\"/ip4/127.0.0.1/tcp/7\",\n\"/ip4/127.0.0.1/tcp/7\"]",
            "server.toml:2: listen: \"/ip4/127.0.0.1/tcp/7\" cannot be used: another address",
        ),
        (
            b"\n\n\nlisten-on = []",
            "server.toml:4: unknown field `listen-on`",
        ),
        (
            b"data_dir = \"x\"",
            "server.toml:1: unknown field `data_dir`",
        ),
        (b"[server]\nlisten = []", "unknown field `server`"),
        (b"log = \"info\"\nlog = \"info\"", "server.toml:2: "),
        (b"data-dir = 7", "server.toml:1: "),
        (b"\ndata-dir = \"\"", "server.toml:2: data-dir is empty"),
        (b"external = [\"/ip6/::/tcp/4815\"]", "write the real one"),
        (
            b"bootstrap = [\"/ip4/127.0.0.1/tcp/4815\"]",
            "must end in /p2p/<peer id>",
        ),
        (
            b"enable = [\"echo\",\n\"sing\"]",
            "server.toml:2: enable: \"sing\" is not one of echo, perf",
        ),
        (b"enable = \"echo\"", "server.toml:1: "),
        (
            b"\nmetrics = \":9464\"",
            "server.toml:2: metrics: \":9464\" is not an IP address",
        ),
        (b"metrics = true", "server.toml:1: "),
        (
            b"log-format = \"yaml\"",
            "server.toml:1: log-format: \"yaml\" is not one of text, json",
        ),
        (
            b"log = \"mooring=silly\"",
            "server.toml:1: log: \"mooring=silly\" is not a log filter",
        ),
        (
            b"log = \"\xff\"",
            "cannot read the configuration file server.toml",
        ),
        (b"\xef\xbb\xbf\xef\xbb\xbflog = 1", "server.toml:1: "),
    ];
    for (content, expected) in table {
        std::fs::write(&file, content).unwrap();
        let line = refusal(folder.path(), &["--config", "server.toml"]);
        let shown = String::from_utf8_lossy(content);
        assert!(line.contains(expected), "{shown}: {line}");
    }
    std::fs::write(&file, vec![b'#'; 1024 * 1024 + 1]).unwrap();
    let line = refusal(folder.path(), &["--config", "server.toml"]);
    assert!(line.contains("larger than"), "{line}");
}

#[test]
fn help_and_version_are_no_refusals() {
    let folder = tempfile::tempdir().unwrap();
    for (flag, expected) in [
        (
            "--version",
            concat!("mooring-server ", env!("CARGO_PKG_VERSION"), "\n"),
        ),
        ("--help", "Usage: mooring-server [OPTIONS]"),
    ] {
        let output = common::command(folder.path()).arg(flag).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8(output.stdout).unwrap().contains(expected));
        assert!(output.stderr.is_empty());
    }
}
