//! `cargo xtask demo`: a server, a browser with the extension, and a page that pings the one through the other.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::extension::{self, Browser};
use crate::process::{Process, Running};
use crate::workspace::{Profile, Workspace};
use crate::{browsers, npm, progress, server};

/// A server that has not said where it listens after this long never will.
const LISTENING_LIMIT: Duration = Duration::from_secs(20);
/// A day: a person looks at the demo as long as they like.
const WATCHING_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);
/// Starting a browser, allowing the page, dialing; then each round trip.
const HEADLESS_LIMIT: Duration = Duration::from_secs(120);
const ROUND_TRIP_LIMIT: Duration = Duration::from_secs(10);
/// Lines on stdout are for a person or a script, not for a load test.
const MOST_ROUND_TRIPS: u32 = 10_000;

/// Options of `cargo xtask demo`.
#[derive(clap::Args)]
pub struct Arguments {
    /// In Firefox, not in Chromium
    #[arg(long)]
    firefox: bool,
    /// Without a window: prints round-trip times, one `… ms` a line, and ends
    #[arg(long)]
    headless: bool,
    /// How many round trips to print
    #[arg(long, value_name = "N", default_value_t = 5, requires = "headless", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_ROUND_TRIPS)))]
    count: u32,
}

/// Runs the demo until its window is closed, or until the round trips are printed.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<ExitCode> {
    let browser = if arguments.firefox {
        Browser::Firefox
    } else {
        Browser::Chrome
    };
    npm::packages(workspace)?;
    let program = browsers::find_or_install(browser)?;
    let script = workspace.path("examples/demo/demo.mjs");
    ensure!(script.is_file(), "{} is not there", script.display());
    // Debug: it is there minutes sooner, and the dependencies that do the work are optimised in it too.
    extension::build(workspace, Profile::Debug, None)?;
    let server = server::build(workspace, Profile::Debug)?;

    let (server, address) = start_server(workspace, server)?;
    progress::step("to load the extension yourself");
    progress::note(&format!(
        "Chrome: chrome://extensions, developer mode, load unpacked: {}",
        workspace.dist("chrome").display()
    ));
    progress::note(&format!(
        "Firefox: about:debugging, this Firefox, load temporary add-on: {}",
        workspace.dist("firefox").join("manifest.json").display()
    ));
    progress::step(&format!("demo in {}", browser.name()));
    let mut node = npm::node()?
        .arg(script)
        .args(["--browser", browser.name(), "--extension"])
        .arg(workspace.dist(browser.name()))
        .args(["--server", &address])
        .env(browsers::variable(browser), program)
        .dir(workspace.root());
    node = if arguments.headless {
        let count = arguments.count.to_string();
        node.args(["--headless", "--count", &count])
            .limit(HEADLESS_LIMIT + ROUND_TRIP_LIMIT * arguments.count)
    } else {
        node.limit(WATCHING_LIMIT)
    };
    let code = node.pass_through();
    drop(server);
    Ok(if code? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Starts the server on loopback, and answers its address once it listens.
fn start_server(workspace: &Workspace, program: PathBuf) -> Result<(Running, String)> {
    let data = workspace.target().join("demo");
    let mut server = Process::new(program)
        .args([
            "--listen",
            "/ip4/127.0.0.1/udp/0/webrtc-direct",
            "--enable",
            "echo",
            "--data-dir",
        ])
        .arg(&data)
        .dir(workspace.root())
        .start()?;
    let lines = server.lines();
    let address = first_address(&mut server, &lines).context("starting mooring-server")?;
    progress::note(&format!("server: {address}"));
    // What it prints later nobody needs, but a full pipe would stop it.
    thread::spawn(move || lines.into_iter().for_each(drop));
    Ok((server, address))
}

fn first_address(server: &mut Running, lines: &Receiver<String>) -> Result<String> {
    let start = Instant::now();
    while start.elapsed() < LISTENING_LIMIT {
        match lines.recv_timeout(Duration::from_millis(100)) {
            Ok(line) if is_address(&line) => return Ok(line.trim().to_owned()),
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => match server.ended()? {
                Some(status) => bail!("it ended ({status})"),
                None => thread::sleep(Duration::from_millis(100)),
            },
        }
    }
    bail!(
        "it printed no webrtc-direct address in {}",
        progress::duration(LISTENING_LIMIT)
    )
}

/// A full address to dial, with certificate and peer.
fn is_address(line: &str) -> bool {
    let line = line.trim();
    line.starts_with('/')
        && ["/webrtc-direct/", "/certhash/", "/p2p/"]
            .iter()
            .all(|part| line.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_full_address_will_do() {
        assert!(is_address(
            "/ip4/127.0.0.1/udp/4001/webrtc-direct/certhash/uEi/p2p/12D3\n"
        ));
        assert!(!is_address("/ip4/127.0.0.1/tcp/4001/p2p/12D3"));
        assert!(!is_address(
            "listening on /ip4/127.0.0.1/udp/4001/webrtc-direct/certhash/uEi/p2p/12D3"
        ));
    }
}
