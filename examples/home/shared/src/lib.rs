//! What the page and the program at home say to each other: both are made from these types.
//!
//! A stream of [`PROTOCOL`] begins with a [`Hello`] of the page. After it come [`Request`]s, each answered by one [`Answer`] in the same
//! order; [`Request::Watch`] is the last of its stream, and is answered again whenever the notes change. Each of them is a frame: its length in
//! four bytes, the highest first, and JSON.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)
)]

mod frame;
mod link;

use serde::{Deserialize, Serialize};

pub use frame::{FrameError, read, read_or_end, write};
pub use link::{BadLink, Link};

/// The protocol's id. The number changes with the types here.
pub const PROTOCOL: &str = "/mooring/example/home/1";

/// Longest text of a note, in bytes: a note, not a book, and short enough to be sent whole.
pub const MAX_TEXT: usize = 64 * 1024;
/// Longest name of a note, in bytes: with its ending it is a file name everywhere.
pub const MAX_NAME: usize = 100;
/// Most notes in a folder that are shown: a list that one still reads, and far less than a frame.
pub const MAX_NOTES: usize = 500;
/// Longest frame, in bytes. A control character is six bytes of JSON, and anything else at most twice as long as its UTF-8.
pub const MAX_FRAME: usize = MAX_TEXT * 6 + 4 * 1024;

/// The first frame of a stream: who knows the key may see the notes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The key of the link that the program printed.
    pub key: String,
}

/// What the page asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase")]
pub enum Request {
    /// Tell the list of notes, now and whenever it changes.
    Watch,
    /// Tell a note.
    Read {
        /// Its name.
        name: String,
    },
    /// Put a text in the place of what a note says.
    Write {
        /// Its name.
        name: String,
        /// What it says from now on, at most [`MAX_TEXT`] bytes.
        text: String,
        /// What it said before as the page knows it, by its revision; none where it is to be new.
        base: Option<String>,
    },
    /// Remove a note.
    Remove {
        /// Its name.
        name: String,
        /// What it says as the page knows it, by its revision.
        base: String,
    },
}

/// What the program answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase")]
pub enum Answer {
    /// To [`Request::Watch`].
    Notes {
        /// By name, at most [`MAX_NOTES`].
        notes: Vec<Listed>,
    },
    /// To [`Request::Read`] and [`Request::Write`].
    Note(Note),
    /// To [`Request::Remove`].
    Removed,
    /// It was not done, and nothing was changed.
    Refused {
        /// Why.
        why: Refusal,
    },
}

/// A note in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its name, which is its file's without the ending.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was last written, in milliseconds since 1970.
    pub written: u64,
}

/// What a note says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
    /// The SHA-256 of the file in hex: another text is another revision.
    pub revision: String,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum Refusal {
    /// The key is not that of the program.
    #[error("the key of this link is not valid (any more)")]
    WrongKey,
    /// What came is no frame of this protocol.
    #[error("the page and the program do not speak the same version")]
    NotUnderstood,
    /// [`check_name`] says no.
    #[error("a name has letters, digits, spaces, - and _, and at most 100 bytes")]
    BadName,
    /// More than [`MAX_TEXT`] bytes.
    #[error("the note is longer than 64 KiB")]
    TooLong,
    /// There are [`MAX_NOTES`] already.
    #[error("there are 500 notes already")]
    TooMany,
    /// There is no such note.
    #[error("there is no such note (any more)")]
    NotFound,
    /// The file is not text.
    #[error("the file is no text")]
    NotText,
    /// The note says something else than the page knows: it was changed meanwhile.
    #[error("the note was changed at home meanwhile")]
    Changed,
    /// The disk said no.
    #[error("the folder at home cannot be used: {0}")]
    Disk(String),
}

/// Whether it can be the name of a note. Nothing of it can lead out of the folder, or name a hidden file.
///
/// # Errors
/// [`Refusal::BadName`].
pub fn check_name(name: &str) -> Result<(), Refusal> {
    let allowed = |char: char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_');
    let trimmed = name.trim() == name && !name.is_empty();
    (trimmed && name.len() <= MAX_NAME && name.chars().all(allowed))
        .then_some(())
        .ok_or(Refusal::BadName)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_folder() {
        for good in ["Shopping list", "a", "Übung 3", "2026-11-23_plan"] {
            check_name(good).unwrap();
        }
        let long = "a".repeat(MAX_NAME + 1);
        for bad in [
            "", " a", "a ", ".", "..", "../a", "a/b", "a\\b", ".key", "a.txt", "a\0", "a:b", &long,
        ] {
            assert_eq!(check_name(bad), Err(Refusal::BadName), "{bad:?}");
        }
    }
}
