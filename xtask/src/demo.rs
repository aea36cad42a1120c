//! `cargo xtask demo`: a server, a browser with the extension, and a page that pings the one through the other.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::ValueEnum;

use crate::extension::{self, Browser};
use crate::workspace::{Profile, Workspace};
use crate::{browsers, npm, progress, server, setup};

/// A day: a person looks at the demo as long as they like.
const WATCHING_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);
/// Starting a browser, allowing the page, dialing; then each round trip.
const HEADLESS_LIMIT: Duration = Duration::from_secs(120);
const ROUND_TRIP_LIMIT: Duration = Duration::from_secs(10);
/// Lines on stdout are for a person or a script, not for a load test.
const MOST_ROUND_TRIPS: u32 = 10_000;

/// What is shown instead of the page that pings.
#[derive(Clone, Copy, ValueEnum)]
enum Example {
    /// Rooms: topics, presence, history
    Chat,
    /// Files from browser to browser
    FileDrop,
}

/// Options of `cargo xtask demo`.
#[derive(clap::Args)]
pub struct Arguments {
    /// In Firefox, not in Chromium
    #[arg(long)]
    firefox: bool,
    /// Without a window: prints round-trip times, one `… ms` a line, and ends
    #[arg(long)]
    headless: bool,
    /// One of `examples/`, in two browsers that meet over a relay on this machine
    #[arg(long, value_enum, conflicts_with = "headless")]
    example: Option<Example>,
    /// As it ships: built small and fast, which takes several minutes more
    #[arg(long)]
    release: bool,
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
    setup::prepare(workspace, &[browser])?;
    let program = browsers::find_or_install(browser)?;
    let script = workspace.path(match arguments.example {
        Some(_) => "examples/run.mjs",
        None => "examples/demo/demo.mjs",
    });
    ensure!(script.is_file(), "{} is not there", script.display());
    let profile = if arguments.release {
        Profile::Release
    } else {
        // It is there minutes sooner, and the dependencies that do the work are optimised in it too.
        Profile::Debug
    };
    extension::build(workspace, profile, None)?;
    let server = server::build(workspace, profile)?;

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
        // It starts the server itself: where Firefox needs a network of its own, both must be in it.
        .arg("--server-program")
        .arg(server)
        .env(browsers::variable(browser), program)
        .dir(workspace.root());
    if let Some(name) = arguments.example.and_then(|it| it.to_possible_value()) {
        node = node.args(["--example", name.get_name()]);
    }
    node = if arguments.headless {
        let count = arguments.count.to_string();
        node.args(["--headless", "--count", &count])
            .limit(HEADLESS_LIMIT + ROUND_TRIP_LIMIT * arguments.count)
    } else {
        node.limit(WATCHING_LIMIT)
    };
    Ok(if node.pass_through()? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
