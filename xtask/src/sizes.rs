//! How large a release is: what a store sends and a browser reads.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::{npm, progress};

/// Files of the extension that are loaded together.
struct Part {
    name: &'static str,
    files: &'static [&'static str],
    /// Gzipped bytes that it should stay within.
    goal: u64,
    /// Gzipped bytes at which the build fails: some 3 % more than it was when this was written, or the goal. Whoever
    /// adds more has looked at what, and writes the new number here and in docs/measurements/size.md.
    budget: u64,
}

const PARTS: [Part; 2] = [
    Part {
        name: "the node",
        files: &["mooring_host_bg.wasm"],
        goal: 900_000,
        budget: 1_100_000,
    },
    Part {
        name: "the popup",
        files: &["mooring_popup_bg.wasm", "popup.js"],
        goal: 250_000,
        budget: 250_000,
    },
];

/// Says for each part of the extension in this folder how large it is and how large it should be, and fails if one
/// is over its budget.
pub fn check(extension: &Path) -> Result<()> {
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
        sum.within_budget(part)?;
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

    fn within_budget(&self, part: &Part) -> Result<()> {
        ensure!(
            self.gzipped <= part.budget,
            "{} is {} bytes gzipped, over its budget of {} (xtask/src/sizes.rs)",
            part.name,
            self.gzipped,
            part.budget
        );
        Ok(())
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
    fn a_part_over_its_budget_fails_the_build() {
        for part in &PARTS {
            let size = |gzipped| Size { raw: 0, gzipped };
            assert!(size(part.budget).within_budget(part).is_ok());
            let error = size(part.budget + 1).within_budget(part).err();
            assert!(error.is_some_and(|error| error.to_string().contains(part.name)));
        }
    }

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
