//! Which documents are served.

use crate::Sender;

/// Longest origin that is served: a domain name has at most 253 characters.
const MAX_ORIGIN: usize = 300;

/// The origin of a document that is served, by the browser's word. `None` means silence.
pub(super) fn served_origin(sender: &Sender) -> Option<String> {
    let top = sender.frame_id == Some(0);
    // Firefox, which does not prerender, says nothing here.
    let active = sender
        .lifecycle
        .as_deref()
        .is_none_or(|state| state == "active");
    let origin = sender.origin.as_deref()?;
    (top && active && !sender.extension && is_served(origin)).then(|| origin.to_owned())
}

fn is_served(origin: &str) -> bool {
    let Some((scheme, host)) = origin.split_once("://") else {
        return false; // "null" is the origin of sandboxed documents and of most other schemes
    };
    if host.is_empty()
        || origin.len() > MAX_ORIGIN
        || !host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
    {
        return false;
    }
    match scheme {
        "https" => true,
        "http" => ["localhost", "127.0.0.1", "[::1]"].iter().any(|local| {
            host.strip_prefix(local).is_some_and(|port| {
                port.is_empty()
                    || port
                        .strip_prefix(':')
                        .is_some_and(|digits| digits.parse::<u16>().is_ok())
            })
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(origin: &str) -> Sender {
        Sender {
            name: "page".into(),
            origin: Some(origin.into()),
            frame_id: Some(0),
            lifecycle: Some("active".into()),
            ..Sender::default()
        }
    }

    #[test]
    fn serves_secure_and_local_documents() {
        for origin in [
            "https://a.example",
            "https://a.example:8443",
            "https://[2001:db8::1]:1",
            "http://localhost",
            "http://localhost:8080",
            "http://127.0.0.1:1",
            "http://[::1]",
            "http://[::1]:65535",
        ] {
            assert_eq!(served_origin(&page(origin)).as_deref(), Some(origin));
        }
    }

    #[test]
    fn meets_everything_else_with_silence() {
        for origin in [
            "null",
            "",
            "https://",
            "http://a.example",
            "http://localhost.evil.example",
            "http://localhost:",
            "http://localhost:99999",
            "http://localhost:80:80",
            "http://127.0.0.10",
            "http://127.1",
            "http://[::2]",
            "http://sub.localhost",
            "file://",
            "ftp://localhost",
            "chrome-extension://abc",
            "https://a.example/path",
            "https://user@a.example",
            "https://a.example evil",
            "HTTPS://a.example",
        ] {
            assert_eq!(served_origin(&page(origin)), None, "{origin}");
        }
        let good = page("https://a.example");
        for bad in [
            Sender {
                frame_id: Some(3),
                ..good.clone()
            },
            Sender {
                frame_id: None,
                ..good.clone()
            },
            Sender {
                lifecycle: Some("prerender".into()),
                ..good.clone()
            },
            Sender {
                lifecycle: Some("cached".into()),
                ..good.clone()
            },
            Sender {
                extension: true,
                ..good.clone()
            },
            Sender {
                origin: None,
                ..good.clone()
            },
        ] {
            assert_eq!(served_origin(&bad), None, "{bad:?}");
        }
    }
}
