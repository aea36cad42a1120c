//! What the popup remembers from one opening to the next, in its own local storage: what was unfolded, and how the
//! node was when it was last seen. None of it is the node's; losing it loses nothing.

use gloo_storage::{LocalStorage, Storage};
use mooring_api::results::NodeState;
use serde::{Deserialize, Serialize};

const KEY: &str = "mooring.popup";

/// The popup's own settings. What is missing or unreadable in storage is as in [`Preferences::default`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Preferences {
    /// Whether the node's own addresses are unfolded.
    pub addresses: bool,
    /// Whether the sites are unfolded.
    pub sites: bool,
    /// Whether the settings are unfolded.
    pub settings: bool,
    /// Light, dark, or as the system has it.
    pub theme: Theme,
    /// How the node was when it last spoke.
    pub last: Option<LastSeen>,
}

impl Default for Preferences {
    fn default() -> Self {
        Preferences {
            addresses: false,
            sites: true,
            settings: false,
            theme: Theme::System,
            last: None,
        }
    }
}

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Theme {
    /// As the system has it.
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// All, in the order in which they are offered.
    pub const ALL: [Theme; 3] = [Theme::System, Theme::Light, Theme::Dark];

    /// The name in styles and storage.
    pub const fn name(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    /// The name for people.
    pub const fn label(self) -> &'static str {
        match self {
            Theme::System => "As the system",
            Theme::Light => "Light",
            Theme::Dark => "Dark",
        }
    }

    /// The theme of that name.
    pub fn named(name: &str) -> Option<Theme> {
        Theme::ALL.into_iter().find(|theme| theme.name() == name)
    }
}

/// How the node was when it last spoke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastSeen {
    /// Its peer id.
    pub peer_id: Option<String>,
    /// Its state.
    pub state: NodeState,
    /// When, in milliseconds since 1970.
    pub at: u64,
}

/// Reads them. Storage that is missing, empty or unreadable gives the default.
pub fn load() -> Preferences {
    LocalStorage::get(KEY).unwrap_or_default()
}

/// Writes them. A browser that lets nothing be stored costs nothing but the memory of it.
pub fn save(preferences: &Preferences) {
    let _ = LocalStorage::set(KEY, preferences);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_as_by_default() {
        let read: Preferences = serde_json::from_str("{}").unwrap();
        assert_eq!(read, Preferences::default());
        let read: Preferences = serde_json::from_str(r#"{"sites":false,"newer":1}"#).unwrap();
        assert!(!read.sites);
    }

    #[test]
    fn they_come_back_as_they_were() {
        let preferences = Preferences {
            addresses: true,
            sites: false,
            settings: true,
            theme: Theme::Dark,
            last: Some(LastSeen {
                peer_id: Some("12D3".to_owned()),
                state: NodeState::Online,
                at: 1,
            }),
        };
        let text = serde_json::to_string(&preferences).unwrap();
        assert_eq!(
            serde_json::from_str::<Preferences>(&text).unwrap(),
            preferences
        );
        for theme in Theme::ALL {
            assert_eq!(
                serde_json::to_string(&theme).unwrap(),
                format!("\"{}\"", theme.name())
            );
            assert_eq!(Theme::named(theme.name()), Some(theme));
        }
        assert_eq!(Theme::named("sepia"), None);
    }
}
