//! What people see of the product, and how soon: the pictures in the documentation and the popup's timing.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::extension::{self, Browser};
use crate::workspace::{Profile, Workspace};
use crate::{browsers, npm, progress, server, setup};

const LIMIT: Duration = Duration::from_secs(10 * 60);
/// Each takes about a second, two on a busy machine.
const MOST_OPENINGS: u32 = 200;

/// Options of `cargo xtask popup-timing`.
#[derive(clap::Args)]
pub struct Timing {
    /// How often the popup is opened
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_OPENINGS)))]
    count: u32,
}

/// Takes the pictures in docs/images anew.
pub fn pictures(workspace: &Workspace) -> Result<()> {
    setup::prepare(workspace, &[Browser::Chrome])?;
    extension::build(workspace, Profile::Debug, Some(Browser::Chrome))?;
    let server = server::build(workspace, Profile::Debug)?;
    let server = server.to_string_lossy();
    run(
        workspace,
        "examples/demo/pictures.mjs",
        &["--server-program", &server],
    )
}

/// Measures how soon the popup is there, as it ships.
pub fn timing(workspace: &Workspace, arguments: &Timing) -> Result<()> {
    setup::prepare(workspace, &[Browser::Chrome])?;
    extension::build(workspace, Profile::Release, Some(Browser::Chrome))?;
    run(
        workspace,
        "popup/preview/timing.mjs",
        &["--count", &arguments.count.to_string()],
    )
}

fn run(workspace: &Workspace, script: &str, arguments: &[&str]) -> Result<()> {
    progress::step(script);
    let content = npm::node()?
        .arg(workspace.path(script))
        .arg("--extension")
        .arg(workspace.dist(Browser::Chrome.name()))
        .args(arguments)
        .env(
            browsers::variable(Browser::Chrome),
            browsers::find_or_install(Browser::Chrome)?,
        )
        .dir(workspace.root())
        .limit(LIMIT)
        .pass_through()?;
    if !content {
        bail!("{script} did not come to its end");
    }
    Ok(())
}
