//! `docs/webrtc-conformance.md` names a test for each rule. A test that is renamed must be renamed there too.

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use crate::workspace::Workspace;

    const TABLE: &str = "docs/webrtc-conformance.md";

    /// `file::test` in backticks.
    fn named(text: &str) -> impl Iterator<Item = (&str, &str)> {
        text.split('`')
            .skip(1)
            .step_by(2)
            .filter_map(|code| code.split_once("::"))
            .filter(|(file, _)| file.contains('/'))
    }

    fn exists(workspace: &Workspace, file: &str, test: &str) -> bool {
        let Ok(text) = fs::read_to_string(workspace.path(file)) else {
            return false;
        };
        if file.ends_with(".rs") {
            text.contains(&format!("fn {test}("))
        } else {
            text.contains(test)
        }
    }

    #[test]
    fn every_test_named_in_the_conformance_table_exists() {
        let workspace = Workspace::find().unwrap();
        let table = fs::read_to_string(workspace.path(TABLE)).unwrap();
        let missing: Vec<_> = named(&table)
            .filter(|(file, test)| !exists(&workspace, file, test))
            .collect();
        assert!(missing.is_empty(), "{TABLE} names {missing:#?}");
        assert!(named(&table).count() > 100);
        assert!(!exists(&workspace, file!(), "a_test_that_there_is_not"));
    }

    #[test]
    fn rows_without_a_test_say_why() {
        let workspace = Workspace::find().unwrap();
        let table = fs::read_to_string(workspace.path(TABLE)).unwrap();
        let rows = table.lines().filter(|line| line.starts_with("| "));
        for row in rows {
            let shown = named(row).next().is_some();
            let heading = row.ends_with("| shown by |");
            let why = ["not done", "not offered", "each `RTCPeerConnection`"]
                .iter()
                .any(|why| row.contains(why));
            assert!(shown || heading || why, "{row}");
        }
    }
}
