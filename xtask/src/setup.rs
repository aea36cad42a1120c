//! What a machine needs before anything is built. All of it is looked for first, so that what is missing is
//! named in one go and not one thing at a time, minutes apart.

use anyhow::{Result, bail};

use crate::extension::Browser;
use crate::workspace::Workspace;
use crate::{apt, browsers, npm, progress, toolchain};

/// Something that is missing.
pub struct Missing {
    /// What it is called.
    pub what: String,
    /// How a person gets it; None where this program can.
    pub by_hand: Option<String>,
}

/// Finds or installs what building the extension needs, and these browsers.
pub fn prepare(workspace: &Workspace, browsers: &[Browser]) -> Result<()> {
    npm::node()?;
    let mut missing = Vec::new();
    missing.extend(npm::missing(workspace.root()));
    missing.extend(toolchain::missing()?);
    for browser in browsers {
        missing.extend(browsers::missing(*browser)?);
    }
    if missing.is_empty() {
        return Ok(());
    }
    progress::step("set-up");
    progress::note(&report(&missing)?);
    npm::packages(workspace)?;
    for browser in browsers {
        browsers::find_or_install(*browser)?;
    }
    toolchain::wasm(workspace).map(drop)
}

/// What will be fetched, in words; or fails with all that cannot be.
fn report(missing: &[Missing]) -> Result<String> {
    let out_of_reach: Vec<_> = missing
        .iter()
        .filter_map(|each| Some(format!("  {}: {}", each.what, each.by_hand.as_deref()?)))
        .collect();
    if !out_of_reach.is_empty() {
        bail!(
            "this machine lacks what cannot be installed from here ({}):\n{}",
            apt::why_not(),
            out_of_reach.join("\n")
        );
    }
    let names: Vec<_> = missing.iter().map(|each| each.what.as_str()).collect();
    Ok(format!(
        "not on this machine yet, and fetched now: {}",
        names.join("; ")
    ))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn missing(what: &str, by_hand: Option<&str>) -> Missing {
        Missing {
            what: what.to_owned(),
            by_hand: by_hand.map(str::to_owned),
        }
    }

    #[test]
    fn all_that_a_person_must_get_is_named_at_once() {
        let error = report(&[
            missing("npm packages", None),
            missing("Chromium", Some("install it")),
            missing("Rust for wasm", Some("rustup")),
        ])
        .unwrap_err()
        .to_string();
        assert!(error.contains("Chromium: install it") && error.contains("Rust for wasm: rustup"));
        assert!(!error.contains("npm packages"), "{error}");
    }

    #[test]
    fn what_can_be_fetched_stops_nobody() {
        let said = report(&[missing("npm packages", None), missing("Chromium", None)]).unwrap();
        assert!(said.ends_with("npm packages; Chromium"), "{said}");
    }
}
