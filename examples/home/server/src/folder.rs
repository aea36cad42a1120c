//! The notes as files. What is asked is checked here: requests come from the network.

use std::{
    fs, io,
    io::{Read, Write},
    path::PathBuf,
    time::UNIX_EPOCH,
};

use home_shared::{Listed, MAX_NOTES, MAX_TEXT, Note, Refusal, check_name};
use sha2::{Digest, Sha256};

const ENDING: &str = "txt";

/// A folder of notes.
pub struct Folder {
    path: PathBuf,
    /// One change at a time: between looking at a note and replacing it nobody else replaces it.
    writing: std::sync::Mutex<()>,
}

impl Folder {
    pub fn new(path: PathBuf) -> Self {
        Folder {
            path,
            writing: std::sync::Mutex::default(),
        }
    }

    /// The notes by name. Files with other names or endings are none.
    pub fn list(&self) -> Result<Vec<Listed>, Refusal> {
        let mut notes = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(disk)? {
            let path = entry.map_err(disk)?.path();
            let name = path
                .file_stem()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if path.extension().is_none_or(|ending| ending != ENDING) || check_name(name).is_err() {
                continue;
            }
            // It may have gone meanwhile.
            let Some(metadata) = fs::metadata(&path).ok().filter(fs::Metadata::is_file) else {
                continue;
            };
            let written = metadata
                .modified()
                .ok()
                .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            notes.push(Listed {
                name: name.to_owned(),
                bytes: metadata.len(),
                written: written
                    .and_then(|at| at.as_millis().try_into().ok())
                    .unwrap_or_default(),
            });
        }
        notes.sort_by(|one, other| one.name.cmp(&other.name));
        notes.truncate(MAX_NOTES);
        Ok(notes)
    }

    pub fn read(&self, name: &str) -> Result<Note, Refusal> {
        let file = fs::File::open(self.file(name)?).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Refusal::NotFound,
            _ => disk(error),
        })?;
        let mut bytes = Vec::new();
        let most = u64::try_from(MAX_TEXT).unwrap_or(u64::MAX);
        file.take(most.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(disk)?;
        if bytes.len() > MAX_TEXT {
            return Err(Refusal::TooLong);
        }
        let text = String::from_utf8(bytes).map_err(|_| Refusal::NotText)?;
        Ok(note(name, text))
    }

    /// Replaces what a note says, all of it or nothing, if it says what `base` is the revision of.
    pub fn write(&self, name: &str, text: String, base: Option<&str>) -> Result<Note, Refusal> {
        let file = self.file(name)?;
        if text.len() > MAX_TEXT {
            return Err(Refusal::TooLong);
        }
        let _one = self
            .writing
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        self.expect(name, base)?;
        if base.is_none() && self.list()?.len() >= MAX_NOTES {
            return Err(Refusal::TooMany);
        }
        let mut temporary = tempfile::NamedTempFile::new_in(&self.path).map_err(disk)?;
        temporary.write_all(text.as_bytes()).map_err(disk)?;
        temporary.as_file().sync_all().map_err(disk)?;
        temporary.persist(file).map_err(|error| disk(error.error))?;
        Ok(note(name, text))
    }

    pub fn remove(&self, name: &str, base: &str) -> Result<(), Refusal> {
        let file = self.file(name)?;
        let _one = self
            .writing
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        self.expect(name, Some(base))?;
        fs::remove_file(file).map_err(disk)
    }

    /// Fails when the note says something else than the page knows.
    fn expect(&self, name: &str, base: Option<&str>) -> Result<(), Refusal> {
        match (self.read(name), base) {
            (Ok(now), Some(base)) if now.revision == base => Ok(()),
            (Err(Refusal::NotFound), None) => Ok(()),
            (Err(Refusal::NotFound), Some(_)) => Err(Refusal::NotFound),
            (Err(Refusal::Disk(why)), _) => Err(Refusal::Disk(why)),
            _ => Err(Refusal::Changed),
        }
    }

    fn file(&self, name: &str) -> Result<PathBuf, Refusal> {
        check_name(name)?;
        Ok(self.path.join(format!("{name}.{ENDING}")))
    }
}

fn note(name: &str, text: String) -> Note {
    Note {
        name: name.to_owned(),
        revision: hex::encode(Sha256::digest(&text)),
        text,
    }
}

#[allow(clippy::needless_pass_by_value)] // it is made for `map_err`
fn disk(error: io::Error) -> Refusal {
    Refusal::Disk(error.kind().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_written_read_listed_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().to_owned());
        let first = folder.write("Plan", "one".to_owned(), None).unwrap();
        assert_eq!(
            fs::read_to_string(dir.path().join("Plan.txt")).unwrap(),
            "one"
        );
        assert_eq!(folder.read("Plan").unwrap(), first);
        let second = folder
            .write("Plan", "two".to_owned(), Some(&first.revision))
            .unwrap();
        fs::write(dir.path().join("other.md"), "").unwrap();
        fs::write(dir.path().join(".hidden.txt"), "").unwrap();
        let names: Vec<_> = folder
            .list()
            .unwrap()
            .into_iter()
            .map(|note| note.name)
            .collect();
        assert_eq!(names, ["Plan"]);
        folder.remove("Plan", &second.revision).unwrap();
        assert_eq!(folder.read("Plan"), Err(Refusal::NotFound));
        assert!(folder.list().unwrap().is_empty());
    }

    #[test]
    fn what_was_changed_meanwhile_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().to_owned());
        let first = folder.write("a", "one".to_owned(), None).unwrap();
        fs::write(dir.path().join("a.txt"), "from outside").unwrap();
        for (result, why) in [
            (
                folder.write("a", "x".to_owned(), Some(&first.revision)),
                Refusal::Changed,
            ),
            (folder.write("a", "x".to_owned(), None), Refusal::Changed),
            (
                folder.write("b", "x".to_owned(), Some(&first.revision)),
                Refusal::NotFound,
            ),
            (folder.write("../a", "x".to_owned(), None), Refusal::BadName),
            (
                folder.write("c", "x".repeat(MAX_TEXT + 1), None),
                Refusal::TooLong,
            ),
        ] {
            assert_eq!(result, Err(why));
        }
        assert_eq!(folder.remove("a", &first.revision), Err(Refusal::Changed));
        assert_eq!(
            fs::read_to_string(dir.path().join("a.txt")).unwrap(),
            "from outside"
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_note_is_said_so() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().to_owned());
        fs::write(dir.path().join("long.txt"), "x".repeat(MAX_TEXT + 1)).unwrap();
        fs::write(dir.path().join("raw.txt"), [0xff]).unwrap();
        assert_eq!(folder.read("long"), Err(Refusal::TooLong));
        assert_eq!(folder.read("raw"), Err(Refusal::NotText));
        fs::remove_dir_all(dir.path()).unwrap();
        assert!(matches!(folder.list(), Err(Refusal::Disk(_))));
    }
}
