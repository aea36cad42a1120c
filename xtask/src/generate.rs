//! TypeScript from Rust: the message types of crates/api, in extension/generated.
//!
//! ts-rs writes them from inside that crate's tests, into the folder that an environment variable names.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process::BUILD_LIMIT;
use crate::workspace::Workspace;
use crate::{progress, toolchain};

const FOLDER: &str = "extension/generated";
/// The tests that ts-rs adds are called `export_bindings_<type>`.
const TESTS: &str = "export_bindings_";

/// File name to text.
type Files = BTreeMap<String, String>;

/// Writes the generated types, or with `check` only compares them with what is there.
pub fn run(workspace: &Workspace, check: bool) -> Result<()> {
    let made = progress::timed("types for TypeScript", || generate(workspace))?;
    let folder = workspace.path(FOLDER);
    let found = read(&folder)?;
    let differences = differences(&made, &found);
    if differences.is_empty() {
        return Ok(());
    }
    if check {
        bail!(
            "{FOLDER} is not what crates/api generates; run `cargo xtask gen` and commit it:\n    {}",
            differences.join("\n    ")
        );
    }
    fs::create_dir_all(&folder)?;
    for stale in found.keys().filter(|name| !made.contains_key(*name)) {
        fs::remove_file(folder.join(stale))?;
    }
    for (name, text) in &made {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    for difference in differences {
        progress::note(&difference);
    }
    Ok(())
}

fn generate(workspace: &Workspace) -> Result<Files> {
    let folder = workspace.target().join("generated-types");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("emptying {}", folder.display()))?;
    }
    toolchain::cargo()
        .args([
            "test",
            "--quiet",
            "--package",
            "mooring-api",
            "--lib",
            TESTS,
        ])
        .env("TS_RS_EXPORT_DIR", &folder)
        .dir(workspace.root())
        .limit(BUILD_LIMIT)
        .read()?;
    let made = read(&folder)?;
    if made.is_empty() {
        bail!("crates/api exported no types: are its `ts(export)` attributes gone?");
    }
    Ok(made)
}

fn read(folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    if folder.is_dir() {
        collect(folder, "", &mut files)?;
    }
    Ok(files)
}

fn collect(folder: &Path, prefix: &str, files: &mut Files) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let path = entry.path();
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files)?;
        } else {
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            // A checkout on Windows may have turned the line ends.
            files.insert(name, text.replace("\r\n", "\n"));
        }
    }
    Ok(())
}

fn differences(made: &Files, found: &Files) -> Vec<String> {
    let made_differently = made
        .iter()
        .filter_map(|(name, text)| match found.get(name) {
            None => Some(format!("{name} is missing")),
            Some(there) if there != text => Some(format!("{name} is out of date")),
            Some(_) => None,
        });
    let stale = found
        .keys()
        .filter(|name| !made.contains_key(*name))
        .map(|name| format!("{name} is no longer generated"));
    made_differently.chain(stale).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> Files {
        list.iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn every_kind_of_drift_is_seen() {
        let made = files(&[("A.ts", "a"), ("B.ts", "b"), ("C.ts", "c")]);
        let found = files(&[("A.ts", "a"), ("B.ts", "old"), ("D.ts", "d")]);
        assert_eq!(
            differences(&made, &found),
            [
                "B.ts is out of date",
                "C.ts is missing",
                "D.ts is no longer generated"
            ]
        );
        assert!(differences(&made, &made).is_empty());
    }
}
