use mooring_api::descriptor::{GrantName, covers};
use proptest::prelude::*;

use super::*;

const SITE: &str = "https://a.example";

fn one() -> Document {
    Document::new(1, None)
}

fn dial(private_network: bool) -> Descriptor {
    Descriptor::Dial { private_network }
}

fn streams(protocols: &[&str]) -> Descriptor {
    Descriptor::Streams {
        protocols: protocols.iter().map(|p| (*p).to_owned()).collect(),
    }
}

fn decide(
    grants: &mut Grants,
    asked: &[Descriptor],
    granted: &[Descriptor],
    denied: &[Descriptor],
) -> Result<bool, Full> {
    let decision = Decision {
        asked,
        granted,
        denied,
        choice: Choice::Session,
        documents: &[one()],
    };
    grants.decide(SITE, &decision, 0)
}

#[test]
fn a_denial_of_the_plain_denies_what_goes_further_and_not_the_other_way() {
    let mut grants = Grants::default();
    decide(&mut grants, &[dial(true)], &[dial(false)], &[dial(true)]).unwrap();
    assert_eq!(grants.held(SITE, &one(), 0), [dial(false)]);
    assert_eq!(
        grants.open_questions(SITE, &one(), 0, &[dial(true)]),
        (vec![], true)
    );
    assert_eq!(
        grants.open_questions(SITE, &one(), 0, &[dial(false)]),
        (vec![], false)
    );
    grants.revoke(SITE, None);
    // Plain dialing was allowed, and may be asked again; the private network was denied.
    assert_eq!(
        grants.open_questions(SITE, &one(), 0, &[dial(true)]),
        (vec![dial(false)], true)
    );
}

#[test]
fn denying_only_the_rest_does_not_deny_what_is_held() {
    let mut grants = Grants::default();
    decide(&mut grants, &[dial(false)], &[dial(false)], &[]).unwrap();
    let (asked, _) = grants.open_questions(SITE, &one(), 0, &[dial(true)]);
    assert_eq!(asked, [dial(true)]);
    decide(&mut grants, &asked, &[], &asked).unwrap();
    grants.revoke(SITE, None);
    assert_eq!(
        grants.open_questions(SITE, &one(), 0, &[dial(false)]),
        (vec![dial(false)], false)
    );
}

#[test]
fn patterns_deny_what_they_cover() {
    let mut grants = Grants::default();
    let all = [streams(&["/game/*"])];
    decide(&mut grants, &all, &[], &all).unwrap();
    let (open, denied) =
        grants.open_questions(SITE, &one(), 0, &[streams(&["/game/1", "/chat/1"])]);
    assert_eq!((open, denied), (vec![streams(&["/chat/1"])], true));
    // A later grant of it takes the denial's place.
    decide(&mut grants, &all, &all, &[]).unwrap();
    grants.revoke(SITE, None);
    assert_eq!(
        grants.open_questions(SITE, &one(), 0, &all),
        (all.to_vec(), false)
    );
}

#[test]
fn an_origin_holds_no_more_than_it_may() {
    let mut grants = Grants::default();
    for round in 0..MAX_VALUES_PER_ORIGIN / 64 {
        let names: Vec<String> = (0..64).map(|n| format!("/p/{round}/{n}")).collect();
        let asked = [Descriptor::Streams { protocols: names }];
        decide(&mut grants, &asked, &asked, &[]).unwrap();
    }
    let before = grants.held(SITE, &one(), 0);
    let one_more = [streams(&["/one/more"])];
    assert_eq!(decide(&mut grants, &one_more, &one_more, &[]), Err(Full));
    assert_eq!(grants.held(SITE, &one(), 0), before);
    assert_eq!(grants.held("https://b.example", &one(), 0), []);
}

#[test]
fn the_popup_sees_each_duration_for_itself() {
    let mut grants = Grants::default();
    for (descriptor, choice) in [
        (Descriptor::Peers {}, Choice::Always),
        (Descriptor::Identity {}, Choice::Hour),
        (dial(true), Choice::Session),
    ] {
        let asked = [descriptor];
        let decision = Decision {
            asked: &asked,
            granted: &asked,
            denied: &[],
            choice,
            documents: &[one()],
        };
        grants.decide(SITE, &decision, 1000).unwrap();
    }
    let sites = grants.sites(1000);
    let shown: Vec<_> = sites[0]
        .1
        .iter()
        .map(|g| (g.descriptor.name(), g.duration, g.expires_at))
        .collect();
    assert_eq!(
        shown,
        [
            (GrantName::Peers, Choice::Always, None),
            (GrantName::Dial, Choice::Session, None),
            (GrantName::Identity, Choice::Hour, Some(1000 + millis(HOUR))),
        ]
    );
    assert_eq!(grants.next_end(), Some(1000 + millis(HOUR)));
    assert_eq!(grants.expire(999 + millis(HOUR)), Vec::<String>::new());
    assert_eq!(grants.expire(1000 + millis(HOUR)), [SITE]);
}

fn any_descriptor() -> impl Strategy<Value = Descriptor> {
    let names = prop::collection::vec(
        prop::sample::select(vec!["/aa/1", "/aa/*", "/bb/1", "/bb/2", "/b*"]),
        1..4,
    );
    prop_oneof![
        Just(Descriptor::Identity {}),
        any::<bool>().prop_map(dial),
        any::<bool>().prop_map(|write| Descriptor::Routing { write }),
        names.prop_map(|names| streams(&names)),
    ]
}

fn some() -> impl Strategy<Value = Vec<Descriptor>> {
    prop::collection::vec(any_descriptor(), 0..4)
}

proptest! {
    /// Whatever a prompt page answers, and whatever was decided before.
    #[test]
    fn nothing_is_held_that_was_not_asked(rounds in prop::collection::vec((some(), some(), some()), 1..5)) {
        let mut grants = Grants::default();
        let mut ever: Vec<Descriptor> = Vec::new();
        for (wanted, granted, denied) in &rounds {
            let (asked, _) = grants.open_questions(SITE, &one(), 0, wanted);
            for question in &asked {
                prop_assert!(covers(&merge(wanted), question), "{question:?} was never wanted");
            }
            decide(&mut grants, &asked, granted, denied).unwrap();
            ever.extend(asked);
            for held in grants.held(SITE, &one(), 0) {
                prop_assert!(covers(&ever, &held), "{held:?} was never asked");
            }
        }
        grants.revoke(SITE, None);
        prop_assert_eq!(grants.held(SITE, &one(), 0), vec![]);
    }

    /// After an answer about everything, nothing is left to ask.
    #[test]
    fn a_full_answer_settles(wanted in some(), granted in some()) {
        let mut grants = Grants::default();
        let (asked, _) = grants.open_questions(SITE, &one(), 0, &wanted);
        decide(&mut grants, &asked, &granted, &asked).unwrap();
        prop_assert_eq!(grants.open_questions(SITE, &one(), 0, &wanted).0, vec![]);
    }
}

/// What is decided must be readable at the next start, however much it is.
#[test]
fn the_store_takes_no_more_than_can_be_read_again() {
    crate::tests::support::run(true, async {
        for choice in [Choice::Always, Choice::Session] {
            let mut grants = Grants::default();
            let refused = (0..MAX_GRANT_ORIGINS).find(|n| {
                let protocols = (0..256).map(|value| format!("/{value:0>139}")).collect();
                let asked = [Descriptor::Streams { protocols }];
                let decision = Decision {
                    asked: &asked,
                    granted: &asked,
                    denied: &[],
                    choice,
                    documents: &[one()],
                };
                grants.decide(&format!("https://n{n}.example"), &decision, 0) == Err(Full)
            });
            let held = refused.expect("a bound");
            assert!(held > 10, "{held}");
            assert_eq!(
                grants.sites(0).len(),
                held,
                "what is refused changes nothing"
            );
            let platform = crate::tests::support::Memory::new();
            let records = store::Records::of(&grants).unwrap();
            store::save(&*platform, &records).await.unwrap();
            for stored in platform.stored.borrow().values() {
                let length = stored.as_text().unwrap().len();
                assert!(length <= crate::limits::MAX_MESSAGE_WEIGHT, "{length}");
            }
            let loaded = store::load(&*platform).await;
            assert_eq!((loaded.trouble, loaded.unread), (None, false));
            assert_eq!(loaded.grants.sites(0), grants.sites(0));
            // Taking back makes room.
            grants.forget("https://n0.example");
            let asked = [Descriptor::Peers {}];
            assert!(decide(&mut grants, &asked, &asked, &[]).is_ok());
        }
    });
}
