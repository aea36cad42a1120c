//! Chromium and Firefox for the demo and the browser tests.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::apt;
use crate::extension::Browser;
use crate::process::which;
use crate::setup::Missing;

/// Where one kind of browser is looked for.
struct Search {
    name: &'static str,
    /// A path given by hand wins; the tests are told theirs by it too.
    variable: &'static str,
    /// Usual places that `PATH` does not show, better ones first.
    places: &'static [&'static str],
    /// Names in `PATH`.
    names: &'static [&'static str],
    package: &'static str,
}

const CHROMIUM: Search = Search {
    name: "Chromium or Chrome 148 or newer",
    variable: "MOORING_CHROMIUM",
    places: &[
        // Debian's /usr/bin/chromium is a script that adds a --load-extension of its own.
        "/usr/lib/chromium/chromium",
        "/usr/lib/chromium-browser/chromium-browser",
        "/usr/lib64/chromium-browser/chromium-browser",
        "/opt/google/chrome/chrome",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        r"C:\Program Files\Google\Chrome\Application\chrome.exe",
        r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    ],
    names: &[
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
        "chrome",
    ],
    package: "chromium",
};

const FIREFOX: Search = Search {
    name: "Firefox 142 or newer",
    variable: "MOORING_FIREFOX",
    places: &[
        "/usr/lib/firefox-esr/firefox-esr",
        "/usr/lib/firefox/firefox",
        "/usr/lib64/firefox/firefox",
        "/Applications/Firefox.app/Contents/MacOS/firefox",
        r"C:\Program Files\Mozilla Firefox\firefox.exe",
    ],
    names: &["firefox", "firefox-esr"],
    package: "firefox-esr",
};

fn search(browser: Browser) -> &'static Search {
    match browser {
        Browser::Chrome => &CHROMIUM,
        Browser::Firefox => &FIREFOX,
    }
}

/// The variable that tells tests and the demo where a browser is.
pub fn variable(browser: Browser) -> &'static str {
    search(browser).variable
}

/// What is missing for this browser to be there, if anything.
pub fn missing(browser: Browser) -> Result<Option<Missing>> {
    let search = search(browser);
    if given(search)?.is_some() || find(search).is_some() {
        return Ok(None);
    }
    Ok(Some(Missing {
        what: search.name.to_owned(),
        by_hand: (!apt::possible()).then(|| {
            format!(
                "install it, or name its program in {}. On Debian as root: `{}`",
                search.variable,
                apt::by_hand(&[search.package])
            )
        }),
    }))
}

/// The program that a person named, if one did.
fn given(search: &Search) -> Result<Option<PathBuf>> {
    let Some(given) = env::var_os(search.variable).filter(|given| !given.is_empty()) else {
        return Ok(None);
    };
    let given = PathBuf::from(given);
    if !given.is_file() {
        bail!(
            "{} names {}, and there is no such file",
            search.variable,
            given.display()
        );
    }
    Ok(Some(given))
}

/// A browser's program; installed first where it is missing and that is possible.
pub fn find_or_install(browser: Browser) -> Result<PathBuf> {
    let search = search(browser);
    if let Some(given) = given(search)? {
        return Ok(given);
    }
    if let Some(found) = find(search) {
        return Ok(found);
    }
    apt::install(search.name, &[search.package]).with_context(|| {
        format!(
            "no {} was found. Install it, or name its program in {}",
            search.name, search.variable
        )
    })?;
    find(search).with_context(|| {
        format!(
            "{} is installed, but where? Name its program in {}",
            search.package, search.variable
        )
    })
}

fn find(search: &Search) -> Option<PathBuf> {
    let usual = search
        .places
        .iter()
        .map(Path::new)
        .find(|path| path.is_file())
        .map(Path::to_owned);
    usual.or_else(|| search.names.iter().find_map(|name| which(name)))
}
