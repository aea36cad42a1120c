//! `cargo xtask soak`: endurance campaigns, in hours rather than seconds.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;

use crate::bench;
use crate::extension::Browser;
use crate::progress;
use crate::workspace::Workspace;

/// The longest campaign, on a slow machine, and some more.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// What is endured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Campaign {
    /// 100 times 100 MB each way, checked by hash
    Transfers,
    /// 100,000 streams on one connection
    Streams,
    /// 5,000 dials and closes in one page
    Dials,
    /// 1 GiB through a reader that takes 1 MB/s, each way
    SlowReader,
}

/// Options of `cargo xtask soak`.
#[derive(clap::Args)]
pub struct Arguments {
    /// What to endure
    #[arg(value_enum)]
    campaign: Campaign,
    /// In this browser
    #[arg(long, value_enum, default_value = "chrome")]
    browser: Browser,
    /// Who is dialed: mooring or go
    #[arg(long, value_name = "NAME", default_value = "mooring")]
    remote: String,
    /// Fewer or more
    #[arg(long, value_name = "N")]
    count: Option<u32>,
    /// Smaller or larger
    #[arg(long, value_name = "N")]
    bytes: Option<u64>,
    /// From the start, even if a run of the same campaign was broken off
    #[arg(long)]
    anew: bool,
}

/// Runs a campaign to its end; fails if what it promises is not kept.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<ExitCode> {
    let mut node = bench::pages(workspace, arguments.browser, "bench/soak.mjs")?;
    let name = arguments.campaign.to_possible_value();
    node = node.arg(name.as_ref().map_or("", |name| name.get_name()));
    node = node.args(["--remote", &arguments.remote]);
    if let Some(count) = arguments.count {
        node = node.args(["--count", &count.to_string()]);
    }
    if let Some(bytes) = arguments.bytes {
        node = node.args(["--bytes", &bytes.to_string()]);
    }
    if arguments.anew {
        node = node.arg("--anew");
    }
    progress::step("soak");
    Ok(if node.limit(LIMIT).pass_through()? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
