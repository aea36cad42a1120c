//! The extension: wasm, then webpack into dist/chrome and dist/firefox, and the npm client beside it.

use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;

use crate::workspace::{DIST, Profile, Workspace};
use crate::{client, npm, progress, setup, sizes, wasm};

const WEBPACK_LIMIT: Duration = Duration::from_secs(5 * 60);

/// A browser that an extension is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Browser {
    Chrome,
    Firefox,
}

impl Browser {
    /// Its folder in dist/, and webpack's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chrome => "chrome",
            Self::Firefox => "firefox",
        }
    }
}

/// Builds the extension into dist/, for one browser or for both.
pub fn build(workspace: &Workspace, profile: Profile, only: Option<Browser>) -> Result<()> {
    build_into(workspace, DIST, profile, only)
}

/// Builds the extension into another folder of the work tree.
pub fn build_into(
    workspace: &Workspace,
    folder: &str,
    profile: Profile,
    only: Option<Browser>,
) -> Result<()> {
    setup::prepare(workspace, &[])?;
    wasm::build(workspace, profile)?;
    let mut webpack =
        npm::tool(workspace, "webpack-cli/bin/cli.js")?.args(["--env", &format!("dist={folder}")]);
    if let Some(browser) = only {
        webpack = webpack.args(["--env", &format!("browser={}", browser.name())]);
    }
    let mode = match profile {
        Profile::Debug => "development",
        Profile::Release => "production",
    };
    progress::timed("webpack", || {
        webpack.args(["--mode", mode]).limit(WEBPACK_LIMIT).run()
    })?;
    client::declarations(workspace)?;
    let built = only.map_or(vec![Browser::Chrome, Browser::Firefox], |browser| {
        vec![browser]
    });
    if profile == Profile::Release
        && let Some(browser) = built.first()
    {
        sizes::check(&workspace.path(folder).join(browser.name()))?;
    }
    for browser in built {
        progress::note(&format!(
            "{}: {}",
            browser.name(),
            workspace.path(folder).join(browser.name()).display()
        ));
    }
    Ok(())
}
