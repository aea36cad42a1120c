//! How large a release is: what a store sends and a browser reads.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::{npm, progress};

/// Files of the extension that are loaded together.
struct Part {
    name: &'static str,
    files: &'static [&'static str],
    /// Gzipped bytes that it should stay within.
    goal: u64,
}

const PARTS: [Part; 2] = [
    Part {
        name: "the node",
        files: &["mooring_host_bg.wasm"],
        goal: 900_000,
    },
    Part {
        name: "the popup",
        files: &["mooring_popup_bg.wasm", "popup.js"],
        goal: 250_000,
    },
];

/// Says for each part of the extension in this folder how large it is, and how large it should be at most.
pub fn print(extension: &Path) -> Result<()> {
    progress::step("sizes");
    for part in &PARTS {
        let mut sum = Size::default();
        for name in part.files {
            let size = Size::of(&extension.join(name))?;
            progress::note(&format!("{name}: {size}"));
            sum.add(&size);
        }
        let verdict = sum.verdict(part);
        if sum.gzipped > part.goal {
            progress::warning(&verdict);
        } else {
            progress::note(&verdict);
        }
    }
    Ok(())
}

#[derive(Default)]
struct Size {
    raw: u64,
    gzipped: u64,
}

impl Size {
    fn of(file: &Path) -> Result<Self> {
        const GZIPPED: &str = "process.stdout.write(String(zlib.gzipSync(fs.readFileSync(process.argv[1]), { level: 9 }).length))";
        let raw = fs::metadata(file)
            .with_context(|| file.display().to_string())?
            .len();
        let gzipped = npm::node()?
            .args(["-e", GZIPPED])
            .arg(file)
            .read()?
            .trim()
            .parse()
            .context("gzip")?;
        Ok(Self { raw, gzipped })
    }

    fn add(&mut self, other: &Self) {
        self.raw += other.raw;
        self.gzipped += other.gzipped;
    }

    fn verdict(&self, part: &Part) -> String {
        let word = if self.gzipped > part.goal {
            "too large"
        } else {
            "good"
        };
        format!(
            "{}: {}; the goal is {} gzipped: {word}",
            part.name,
            self,
            progress::bytes(part.goal)
        )
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{}, gzipped {}",
            progress::bytes(self.raw),
            progress::bytes(self.gzipped)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_held_against_its_goal_by_the_sum_of_its_files() {
        let mut sum = Size {
            raw: 600_000,
            gzipped: 249_000,
        };
        assert!(sum.verdict(&PARTS[1]).ends_with("good"));
        sum.add(&Size {
            raw: 27_000,
            gzipped: 7_000,
        });
        assert_eq!(
            sum.verdict(&PARTS[1]),
            "the popup: 627 kB, gzipped 256 kB; the goal is 250 kB gzipped: too large"
        );
    }
}
