//! ICE credentials: the USERNAME of a STUN request.

use super::{Source, run};
use crate::core::ufrag::{self, PREFIX_V1, PREFIX_V2, StunUsername, Version};

fn username(source: &mut Source) -> Vec<u8> {
    let password = "abcdefghijklmnopqrstuvwx";
    let name = match source.below(4) {
        0 => {
            let ufrag = ufrag::new_v1();
            format!("{ufrag}:{ufrag}")
        }
        1 => format!("{}:xYz+", ufrag::new_v2(password).unwrap()),
        2 => format!("{PREFIX_V2}{}:abcd", "a".repeat(source.below(300))),
        _ => {
            let tail = "b".repeat(source.below(300));
            format!("{PREFIX_V1}{tail}:{PREFIX_V1}{tail}")
        }
    };
    let mut bytes = name.into_bytes();
    if !source.once_in(4) {
        source.damage(&mut bytes, 2);
    }
    bytes
}

#[test]
fn a_username_is_what_it_says_or_nothing() {
    run("credentials", username, |name| {
        let Ok(parsed) = StunUsername::parse(name) else {
            return;
        };
        let said = format!("{}:{}", parsed.server_ufrag, parsed.client_ufrag);
        assert_eq!(said.as_bytes(), name);
        assert!(ufrag::is_ufrag(&parsed.server_ufrag) && ufrag::is_ufrag(&parsed.client_ufrag));
        assert!(ufrag::is_password(&parsed.client_password));
        // They go into descriptions: nothing that ends a line.
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+/:".contains(&byte);
        assert!(said.bytes().all(allowed));
        match parsed.version {
            Version::V1 => {
                assert_eq!(parsed.server_ufrag, parsed.client_ufrag);
                assert_eq!(parsed.server_ufrag, parsed.client_password);
                assert!(parsed.server_ufrag.starts_with(PREFIX_V1));
            }
            Version::V2 => {
                let again = ufrag::new_v2(&parsed.client_password).unwrap();
                assert_eq!(parsed.server_ufrag, again);
            }
        }
    });
}
