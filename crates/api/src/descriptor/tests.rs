use proptest::prelude::*;

use super::*;

fn streams(protocols: &[&str]) -> Descriptor {
    Descriptor::Streams {
        protocols: protocols.iter().map(|p| (*p).to_owned()).collect(),
    }
}

fn parse(json: &str) -> Result<Descriptor, String> {
    let descriptor: Descriptor = serde_json::from_str(json).map_err(|e| e.to_string())?;
    descriptor.validate().map_err(|e| e.to_string())?;
    Ok(descriptor)
}

#[test]
fn the_contracts_descriptors_parse() {
    for json in [
        r#"{"name":"identity"}"#,
        r#"{"name":"peers"}"#,
        r#"{"name":"dial"}"#,
        r#"{"name":"dial","privateNetwork":true}"#,
        r#"{"name":"streams","protocols":["/chat/1.0.0","/files/*"]}"#,
        r#"{"name":"pubsub","topics":["room-*"]}"#,
        r#"{"name":"routing"}"#,
        r#"{"name":"routing","write":true}"#,
        r#"{"name":"background"}"#,
    ] {
        let descriptor = parse(json).unwrap_or_else(|e| panic!("{json}: {e}"));
        assert_eq!(serde_json::to_string(&descriptor).unwrap(), json);
    }
}

#[test]
fn unknown_names_caveats_and_values_do_not() {
    for json in [
        r#"{}"#,
        r#"{"name":"camera"}"#,
        r#"{"name":"Dial"}"#,
        r#"{"name":"identity","privateNetwork":true}"#,
        r#"{"name":"dial","everything":true}"#,
        r#"{"name":"dial","privateNetwork":"yes"}"#,
        r#"{"name":"streams"}"#,
        r#"{"name":"streams","protocols":[]}"#,
        r#"{"name":"streams","protocols":"/a"}"#,
        r#"{"name":"streams","protocols":["chat"]}"#,
        r#"{"name":"streams","protocols":["*"]}"#,
        r#"{"name":"streams","protocols":["/a*"]}"#,
        r#"{"name":"streams","protocols":["/a/*/b"]}"#,
        r#"{"name":"streams","protocols":["/a/**"]}"#,
        r#"{"name":"streams","protocols":[""]}"#,
        r#"{"name":"streams","protocols":["/a\n"]}"#,
        r#"{"name":"pubsub","topics":["ab*"]}"#,
        r#"{"name":"pubsub","protocols":["/a/b"]}"#,
        r#"["identity"]"#,
    ] {
        assert!(parse(json).is_err(), "{json}");
    }
}

#[test]
fn prefixes_cover_what_they_match() {
    let held = [streams(&["/chat/*", "/files/1.0.0"])];
    assert!(covers(&held, &streams(&["/chat/2.0.0", "/files/1.0.0"])));
    assert!(covers(&held, &streams(&["/chat/sub/*"])));
    assert!(!covers(&held, &streams(&["/cha*"])));
    assert!(!covers(&held, &streams(&["/files/*"])));
    assert!(allows_protocol(&held, "/chat/"));
    assert!(!allows_protocol(&held, "/chatter"));
    assert!(!allows_topic(&held, "/chat/2.0.0"));
}

#[test]
fn only_what_is_missing_is_asked() {
    let held = [
        Descriptor::Dial {
            private_network: false,
        },
        streams(&["/a/b"]),
    ];
    let wanted = [
        Descriptor::Dial {
            private_network: true,
        },
        streams(&["/a/b", "/c/d"]),
    ];
    assert_eq!(
        missing(&held, &wanted),
        vec![
            Descriptor::Dial {
                private_network: true
            },
            streams(&["/c/d"])
        ]
    );
}

#[test]
fn a_prompt_can_only_narrow() {
    let asked = [
        Descriptor::Dial {
            private_network: false,
        },
        streams(&["/a/*"]),
    ];
    let chosen = [
        Descriptor::Dial {
            private_network: true,
        },
        streams(&["/a/b", "/x/y"]),
        Descriptor::Identity {},
    ];
    assert_eq!(
        trim(&asked, &chosen),
        vec![
            Descriptor::Dial {
                private_network: false
            },
            streams(&["/a/b"])
        ]
    );
}

#[test]
fn revoking_follows_the_contract() {
    let held = [
        Descriptor::Dial {
            private_network: true,
        },
        streams(&["/a/b", "/c/d"]),
        Descriptor::Routing { write: true },
    ];
    let take = |json: &str| subtract(&held, &[serde_json::from_str(json).unwrap()]);
    assert_eq!(take(r#"{"name":"dial"}"#), held[1..].to_vec());
    assert_eq!(
        take(r#"{"name":"dial","privateNetwork":true}"#)[0],
        Descriptor::Dial {
            private_network: false
        }
    );
    assert_eq!(
        take(r#"{"name":"streams","protocols":["/a/b"]}"#)[1],
        streams(&["/c/d"])
    );
    assert_eq!(take(r#"{"name":"streams"}"#).len(), 2);
    assert_eq!(take(r#"{"name":"identity"}"#), held.to_vec());
    assert!(
        serde_json::from_str::<Revocation>(r#"{"name":"dial","write":true}"#)
            .unwrap()
            .validate()
            .is_err()
    );
}

fn any_pattern() -> impl Strategy<Value = String> {
    "/[ab]{2,4}\\*?"
}

fn any_descriptor() -> impl Strategy<Value = Descriptor> {
    prop_oneof![
        Just(Descriptor::Identity {}),
        Just(Descriptor::Peers {}),
        any::<bool>().prop_map(|private_network| Descriptor::Dial { private_network }),
        any::<bool>().prop_map(|write| Descriptor::Routing { write }),
        prop::collection::vec(any_pattern(), 1..4)
            .prop_map(|protocols| Descriptor::Streams { protocols }),
        prop::collection::vec(any_pattern(), 1..4).prop_map(|topics| Descriptor::Pubsub { topics }),
    ]
}

proptest! {
    #[test]
    fn merging_changes_nothing_that_is_allowed(
        set in prop::collection::vec(any_descriptor(), 0..6),
        probe in any_descriptor(),
        protocol in "/[ab]{2,5}",
    ) {
        let merged = merge(&set);
        prop_assert_eq!(covers(&set, &probe), covers(&merged, &probe));
        prop_assert_eq!(allows_protocol(&set, &protocol), allows_protocol(&merged, &protocol));
        prop_assert_eq!(merge(&merged), merged);
    }

    #[test]
    fn what_is_missing_makes_it_whole(
        held in prop::collection::vec(any_descriptor(), 0..4),
        wanted in prop::collection::vec(any_descriptor(), 0..4),
    ) {
        let mut all = held.clone();
        all.extend(missing(&held, &wanted));
        for descriptor in &wanted {
            prop_assert!(covers(&all, descriptor));
        }
    }

    #[test]
    fn revoking_never_widens_and_takes_what_it_names(
        held in prop::collection::vec(any_descriptor(), 0..4),
        protocols in prop::collection::vec(any_pattern(), 1..3),
        probe in "/[ab]{2,5}",
    ) {
        let taken = Revocation { protocols: Some(protocols.clone()), ..Revocation::all(GrantName::Streams) };
        let left = subtract(&held, &[taken]);
        for descriptor in &left {
            prop_assert!(covers(&held, descriptor));
        }
        if allows_protocol(&[Descriptor::Streams { protocols }], &probe) {
            prop_assert!(!allows_protocol(&left, &probe));
        }
    }
}
