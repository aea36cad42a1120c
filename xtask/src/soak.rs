//! `cargo xtask soak`: endurance campaigns, in hours rather than seconds.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;

use crate::bench;
use crate::extension::Browser;
use crate::workspace::Workspace;
use crate::{progress, toolchain};

/// The longest campaign, on a slow machine, and some more.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

const CROWD_PAIRS: u32 = 50;

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
    /// Two browsers meet over our relay and go-libp2p's, which is killed; then 100 MB each way
    Meetings,
    /// Two browsers meet and part 20 times
    Rounds,
    /// 100,000 messages of a page, right and wrong ones, and then as many a second as it can post
    Flood,
    /// 5,000 spellings of addresses that are not global, dialed without the grant, and no packet that leaves
    Spellings,
    /// 1,000 streams of ten tabs, of which many are cut
    Tabs,
    /// The host document closed 100 times
    Hosts,
    /// 50 pairs of native nodes meet over one relay at the same time
    Crowd,
}

impl Campaign {
    /// Does it take the packaged extension instead of a page with a node of its own?
    fn is_of_the_extension(self) -> bool {
        matches!(
            self,
            Self::Meetings
                | Self::Rounds
                | Self::Flood
                | Self::Spellings
                | Self::Tabs
                | Self::Hosts
        )
    }
}

/// Options of `cargo xtask soak`.
#[derive(clap::Args)]
pub struct Arguments {
    /// What to endure
    #[arg(value_enum)]
    campaign: Campaign,
    /// In this browser; those of the extension choose theirs
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
    /// Of a slow reader, bytes a second
    #[arg(long, value_name = "N")]
    rate: Option<u64>,
    /// From the start, even if a run of the same campaign was broken off
    #[arg(long)]
    anew: bool,
}

/// Runs a campaign to its end; fails if what it promises is not kept.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<ExitCode> {
    if arguments.campaign == Campaign::Crowd {
        return crowd(workspace, arguments.count.unwrap_or(CROWD_PAIRS));
    }
    let script = "bench/soak.mjs";
    let mut node = if arguments.campaign.is_of_the_extension() {
        bench::extension(workspace, script)?
    } else {
        bench::pages(workspace, arguments.browser, script)?
    };
    let name = arguments.campaign.to_possible_value();
    node = node.arg(name.as_ref().map_or("", |name| name.get_name()));
    node = node.args(["--remote", &arguments.remote]);
    if let Some(count) = arguments.count {
        node = node.args(["--count", &count.to_string()]);
    }
    if let Some(bytes) = arguments.bytes {
        node = node.args(["--bytes", &bytes.to_string()]);
    }
    if let Some(rate) = arguments.rate {
        node = node.args(["--rate", &rate.to_string()]);
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

/// The node's own test, with more pairs.
fn crowd(workspace: &Workspace, pairs: u32) -> Result<ExitCode> {
    let test = toolchain::cargo()
        .args([
            "test",
            "--package",
            "mooring-node",
            "--test",
            "webrtc_crowd",
        ])
        .args(["--", "--nocapture"])
        .env("MOORING_CROWD_PAIRS", pairs.to_string())
        .dir(workspace.root());
    progress::step("soak");
    Ok(if test.limit(LIMIT).pass_through()? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
