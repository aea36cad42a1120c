//! What a row says about a site: what it may do, until when, and what it was denied.

use mooring_api::{popup::Site, prompt::Duration};

use crate::{format, limits::MAX_TEXT, words};

/// A site, in text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Its origin, in full.
    pub origin: String,
    /// Its origin as people know it.
    pub name: String,
    /// Whether and how often it is open.
    pub open: String,
    /// What it may do.
    pub granted: Vec<Grant>,
    /// What it was denied.
    pub denied: Vec<String>,
}

/// Something a site may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What, in words.
    pub what: String,
    /// Until when.
    pub until: Until,
}

/// Until when a grant holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Until {
    /// Said once and for all.
    Said(&'static str),
    /// A time, in milliseconds since 1970.
    Time(u64),
}

impl Until {
    /// In words, at the time `now`.
    pub fn words(&self, now: u64) -> String {
        match self {
            Until::Said(words) => (*words).to_owned(),
            Until::Time(end) => format::remaining(end.saturating_sub(now)),
        }
    }
}

impl View {
    /// Makes the text.
    pub fn new(site: &Site) -> Self {
        View {
            origin: format::clean(&site.origin, MAX_TEXT),
            name: format::origin(&site.origin),
            open: match site.documents {
                0 => "not open".to_owned(),
                documents => format!(
                    "open in {}",
                    format::count(
                        usize::try_from(documents).unwrap_or(usize::MAX),
                        "tab",
                        "tabs"
                    )
                ),
            },
            granted: site
                .granted
                .iter()
                .map(|grant| Grant {
                    what: words::permission(&grant.descriptor),
                    until: until(grant.duration, grant.expires_at),
                })
                .collect(),
            denied: site.denied.iter().map(words::denial).collect(),
        }
    }
}

fn until(duration: Duration, expires_at: Option<u64>) -> Until {
    match (duration, expires_at) {
        (_, Some(time)) => Until::Time(time),
        (Duration::Once, None) => Until::Said("while the page is open"),
        (Duration::Hour, None) => Until::Said("for an hour"),
        (Duration::Session, None) => Until::Said("until the browser closes"),
        (Duration::Always, None) => Until::Said("until you take it back"),
    }
}

#[cfg(test)]
mod tests {
    use mooring_api::{Descriptor, popup::SiteGrant};

    use super::*;

    #[test]
    fn a_site_says_what_it_may_and_until_when() {
        let view = View::new(&Site {
            origin: "https://app.example".to_owned(),
            granted: vec![
                SiteGrant {
                    descriptor: Descriptor::Peers {},
                    duration: Duration::Always,
                    expires_at: None,
                },
                SiteGrant {
                    descriptor: Descriptor::Dial {
                        private_network: true,
                    },
                    duration: Duration::Hour,
                    expires_at: Some(3_600_000),
                },
            ],
            denied: vec![Descriptor::Identity {}],
            documents: 1,
        });
        assert_eq!(view.name, "app.example");
        assert_eq!(view.open, "open in 1 tab");
        assert_eq!(view.granted[0].what, "see peers and connections");
        assert_eq!(view.granted[0].until.words(0), "until you take it back");
        assert_eq!(view.granted[1].until.words(3_600_000 - 60_000), "for 1 min");
        assert_eq!(view.granted[1].until.words(u64::MAX), "it is over");
        assert_eq!(view.denied, ["see this node’s peer id and addresses"]);
    }
}
