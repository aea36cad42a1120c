//! Text out of numbers, ids and addresses. Pure, and safe for whatever a peer says of itself.

use crate::limits::{MAX_ADDRESS, MAX_HASH, MAX_PEER};

const MINUTE_MS: u64 = 60_000;
const MINUTES_PER_HOUR: u64 = 60;
const MINUTES_PER_DAY: u64 = 24 * MINUTES_PER_HOUR;

/// How long something has lasted, coarsely, so that it seldom changes: `just now`, `4 min`, `2 h 5 min`, `3 d 1 h`.
pub fn span(ms: u64) -> String {
    let minutes = ms / MINUTE_MS;
    let (days, hours, rest) = (
        minutes / MINUTES_PER_DAY,
        minutes % MINUTES_PER_DAY / MINUTES_PER_HOUR,
        minutes % MINUTES_PER_HOUR,
    );
    match (days, hours, rest) {
        (0, 0, 0) => "just now".to_owned(),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// How long something still holds. Rounded up: what has a second left is not over.
pub fn remaining(ms: u64) -> String {
    match ms.div_ceil(MINUTE_MS) {
        0 => "it is over".to_owned(),
        minutes => format!("for {}", span(minutes.saturating_mul(MINUTE_MS))),
    }
}

/// A round trip: one digit after the point where it says something. What is no duration is none.
pub fn round_trip(ms: f64) -> Option<String> {
    if !ms.is_finite() || ms < 0.0 {
        return None;
    }
    Some(if ms < 1.0 {
        "< 1 ms".to_owned()
    } else if ms < 9.95 {
        format!("{ms:.1} ms")
    } else if ms < 999.5 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.1} s", ms / 1_000.0)
    })
}

/// `1 peer`, `2 peers`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// The text with its middle left out, so that it has at most `most` characters (and at least three).
pub fn shorten(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most.max(3) {
        return text.to_owned();
    }
    let kept = most.max(3).saturating_sub(1);
    let head = kept.div_ceil(2);
    let tail = kept.saturating_sub(head);
    let mut short: String = text.chars().take(head).collect();
    short.push('…');
    short.extend(text.chars().skip(length.saturating_sub(tail)));
    short
}

/// A peer id, short. All ids of a kind begin alike, so the end is what tells them apart.
pub fn peer(id: &str) -> String {
    shorten(&clean(id, MAX_PEER.saturating_mul(8)), MAX_PEER)
}

/// A multiaddr, short: hashes and foreign peer ids lose their middle, and a last `/p2p/<peer>` goes when the
/// reader knows already whom the address reaches.
pub fn address(multiaddr: &str, peer: &str) -> String {
    let text = clean(multiaddr, crate::limits::MAX_TEXT);
    let Some(rest) = text.strip_prefix('/') else {
        return shorten(&text, MAX_ADDRESS);
    };
    let mut short = String::new();
    let mut parts = rest.split('/').peekable();
    while let Some(name) = parts.next() {
        let hash = matches!(name, "certhash" | "p2p" | "ipfs");
        let value = if hash { parts.next() } else { None };
        if name == "p2p" && value == Some(peer) && parts.peek().is_none() && !short.is_empty() {
            break;
        }
        short.push('/');
        short.push_str(name);
        if let Some(value) = value {
            short.push('/');
            short.push_str(&shorten(value, MAX_HASH));
        }
    }
    shorten(&short, MAX_ADDRESS)
}

/// An origin as people know it: `https://` goes without saying, everything else is said.
pub fn origin(origin: &str) -> String {
    let text = clean(origin, crate::limits::MAX_TEXT);
    match text.strip_prefix("https://") {
        Some(host) if !host.is_empty() => host.to_owned(),
        _ => text,
    }
}

/// Text from outside made fit to show: on one line, without characters that hide or turn round what stands beside
/// them, and at most `most` characters long.
pub fn clean(text: &str, most: usize) -> String {
    let mut cleaned = String::new();
    let mut length = 0_usize;
    let mut gap = false;
    for character in text.chars() {
        if character.is_whitespace() || character.is_control() {
            gap = !cleaned.is_empty();
            continue;
        }
        if is_invisible(character) {
            continue;
        }
        if length.saturating_add(usize::from(gap)) >= most {
            cleaned.push('…');
            break;
        }
        if gap {
            cleaned.push(' ');
            length = length.saturating_add(1);
            gap = false;
        }
        cleaned.push(character);
        length = length.saturating_add(1);
    }
    cleaned
}

/// Characters that are not seen but change what is: zero-width ones, marks and overrides of direction (Unicode's
/// bidirectional algorithm, UAX 9), tags and the byte order mark.
const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests;
