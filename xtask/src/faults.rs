//! `cargo xtask faults`: what goes wrong, over and over, and that the extension recovers each time.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;

use crate::extension::{self, Browser};
use crate::workspace::{Profile, Workspace};
use crate::{browsers, npm, progress, server};

/// The longest campaign, on a slow machine, and some more.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Campaign {
    /// The service worker is stopped 200 times while streams carry data
    Worker,
    /// The node's wasm traps 100 times
    Traps,
    /// The browser is killed 300 times while it stores something
    Kills,
    /// What is stored is flipped, cut, or of a wrong type, 1,000 times
    Records,
}

/// Options of `cargo xtask faults`.
#[derive(clap::Args)]
pub struct Arguments {
    /// What goes wrong
    #[arg(value_enum)]
    campaign: Campaign,
    /// Fewer or more
    #[arg(long, value_name = "N")]
    count: Option<u32>,
    /// From the start, even if a run of the same campaign was broken off
    #[arg(long)]
    anew: bool,
}

/// Runs a campaign to its end; fails if what it promises is not kept. With builds of the tests: no other has the trap.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<ExitCode> {
    let chromium = browsers::find_or_install(Browser::Chrome)?;
    extension::build(workspace, Profile::Debug, Some(Browser::Chrome))?;
    let name = arguments.campaign.to_possible_value();
    let mut node = npm::node()?
        .arg(workspace.path("bench/soak.mjs"))
        .arg(name.as_ref().map_or("", |name| name.get_name()))
        .env(browsers::variable(Browser::Chrome), chromium)
        .env("MOORING_SERVER", server::build(workspace, Profile::Debug)?)
        .dir(workspace.root());
    if let Some(count) = arguments.count {
        node = node.args(["--count", &count.to_string()]);
    }
    if arguments.anew {
        node = node.arg("--anew");
    }
    progress::step("faults");
    Ok(if node.limit(LIMIT).pass_through()? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
