//! `cargo xtask bench`: paired measurements; tables out, no pass or fail.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::extension::{self, Browser};
use crate::interop::{self, GO_PEER};
use crate::process::Process;
use crate::workspace::{Profile, Workspace};
use crate::{browsers, npm, progress, server};

/// Fifteen pairs of everything on every path take two hours or three.
const LIMIT: Duration = Duration::from_secs(12 * 60 * 60);

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Pages in this browser: ours, js-libp2p, libp2p's own crate and plain data channels, beside each other
    #[arg(long, value_enum, default_value = "chrome")]
    browser: Browser,
    /// Our server beside go-libp2p's instead, with go-libp2p as the client of both
    #[arg(long, conflicts_with_all = ["browser", "pairs", "bytes", "streams", "figure", "lane", "path", "write"])]
    native: bool,
    /// Two browsers that met over a relay, as soon as they talk directly: our extension, and js-libp2p in pages
    #[arg(long, conflicts_with_all = ["native", "browser", "streams", "figure", "lane", "path"])]
    direct: bool,
    /// What a page gets of the extension, beside a bare echo, the host itself and a page with js-libp2p (Chromium)
    #[arg(long, conflicts_with_all = ["native", "direct", "browser", "streams", "figure", "lane", "path"])]
    page: bool,
    /// Tabs that are open for `--page` [default: 100]
    #[arg(long, value_name = "N", requires = "page")]
    tabs: Option<u32>,
    /// How often everything is measured [default: 15]
    #[arg(long, value_name = "N")]
    pairs: Option<u32>,
    /// Bytes of a transfer at 0 ms; fewer on slower paths [default: 100000000]
    #[arg(long, value_name = "N")]
    bytes: Option<u64>,
    /// Short streams at 0 ms; fewer on slower paths [default: 1000]
    #[arg(long, value_name = "N")]
    streams: Option<u32>,
    /// Only this figure (repeatable)
    #[arg(long, value_name = "NAME")]
    figure: Vec<String>,
    /// Only who dials whom, as in "mooring > go" (repeatable)
    #[arg(long, value_name = "NAME")]
    lane: Vec<String>,
    /// Only this path, as in "20 ms" (repeatable)
    #[arg(long, value_name = "NAME")]
    path: Vec<String>,
    /// Into docs/benchmarks.md even when it was shortened
    #[arg(long)]
    write: bool,
    /// Tables of this run and of all earlier ones of the same size, so that a long one can be made in parts
    #[arg(long, conflicts_with_all = ["native", "direct", "page"])]
    join: bool,
}

/// Builds what is measured, optimised, and measures it.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let content = if arguments.native {
        let server = server::build(workspace, Profile::Release)?;
        script(workspace, "bench/native.mjs")?.env("MOORING_SERVER", server)
    } else if arguments.direct {
        interop::pages(workspace, Profile::Release)?;
        extension(workspace, "bench/direct.mjs")?.args(arguments.words())
    } else if arguments.page {
        interop::pages(workspace, Profile::Release)?;
        extension(workspace, "bench/page.mjs")?.args(arguments.words())
    } else {
        pages(workspace, arguments.browser, "bench/browser.mjs")?.args(arguments.words())
    };
    progress::step("bench");
    if !content.limit(LIMIT).pass_through()? {
        bail!("the benchmark did not come to its end");
    }
    Ok(())
}

/// A script that needs the Go peer.
fn script(workspace: &Workspace, script: &str) -> Result<Process> {
    let peer = interop::go_peer(workspace)?.context(
        "the benchmarks compare with go-libp2p, and Go is not in PATH: get it from go.dev",
    )?;
    Ok(npm::node()?
        .arg(workspace.path(script))
        .env(GO_PEER, peer)
        .dir(workspace.root()))
}

/// A script that opens pages in a browser, to talk to the benchmarks' server; all of it optimised.
pub fn pages(workspace: &Workspace, browser: Browser, file: &str) -> Result<Process> {
    let program = browsers::find_or_install(browser)?;
    let server = server::build_for_bench(workspace)?;
    interop::pages(workspace, Profile::Release)?;
    Ok(script(workspace, file)?
        .args(["--browser", browser.name()])
        .env(server::BENCH_VARIABLE, server)
        .env(browsers::variable(browser), program))
}

/// A script that opens browsers with the packaged extension, to meet over our server; all of it optimised.
pub fn extension(workspace: &Workspace, file: &str) -> Result<Process> {
    let mut content = script(workspace, file)?;
    for browser in [Browser::Chrome, Browser::Firefox] {
        content = content.env(
            browsers::variable(browser),
            browsers::find_or_install(browser)?,
        );
    }
    extension::build(workspace, Profile::Release, None)?;
    Ok(content.env(
        "MOORING_SERVER",
        server::build(workspace, Profile::Release)?,
    ))
}

impl Arguments {
    fn words(&self) -> Vec<String> {
        let numbers = [
            ("--pairs", self.pairs.map(u64::from)),
            ("--bytes", self.bytes),
            ("--streams", self.streams.map(u64::from)),
            ("--tabs", self.tabs.map(u64::from)),
        ];
        let names = [
            ("--figure", &self.figure),
            ("--lane", &self.lane),
            ("--path", &self.path),
        ];
        let numbers = numbers
            .into_iter()
            .filter_map(|(flag, number)| Some([flag.to_owned(), number?.to_string()]));
        let names = names.into_iter().flat_map(|(flag, names)| {
            names
                .iter()
                .map(move |name| [flag.to_owned(), name.clone()])
        });
        let mut words: Vec<_> = numbers.chain(names).flatten().collect();
        if self.write {
            words.push("--write".to_owned());
        }
        if self.join {
            words.push("--join".to_owned());
        }
        words
    }
}
