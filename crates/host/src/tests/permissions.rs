use std::time::Duration;

use mooring_api::{Descriptor, popup::Command, prompt::Duration as Choice};
use serde_json::json;

use super::support::{Memory, World, run};
use crate::{Area, Value, limits};

const SITE: &str = "https://site.example:8443";

fn streams(protocols: &[&str]) -> Descriptor {
    Descriptor::Streams {
        protocols: protocols.iter().map(|p| (*p).to_owned()).collect(),
    }
}

fn stored(world: &World, text: &str) -> bool {
    let stored = world.platform.stored.borrow();
    let mut values = stored.values().filter_map(Value::as_text);
    values.any(|value| value.contains(text))
}

/// A host that ends as soon as the page has its answer takes nothing with it.
#[test]
fn what_a_page_is_told_is_stored() {
    run(true, async {
        let world = World::new().await;
        world.platform.write_time.set(Duration::from_millis(50));
        for choice in [Choice::Session, Choice::Always] {
            let site = format!("https://{choice:?}.example").to_lowercase();
            let page = world.page(&site);
            let wants = json!({"permissions": [{"name": "peers"}]});
            let id = page.send("permissions.request", wants);
            world.prompt().await.allow(choice);
            page.answer(&id).await.unwrap();
            assert!(stored(&world, &site), "{site}");
        }
        // What is denied as well, and whoever asks meanwhile asks anew.
        let site = "https://denied.example";
        let (page, other) = (world.page(site), world.page(site));
        let wants = json!({"permissions": [{"name": "peers"}]});
        let id = page.send("permissions.request", wants.clone());
        world.prompt().await.deny(Choice::Always);
        let late = other.send("permissions.request", wants);
        assert_eq!(page.answer(&id).await.unwrap_err().0, 4001);
        assert!(stored(&world, site));
        assert_eq!(other.answer(&late).await.unwrap_err().0, 4001);
    });
}

#[test]
fn asking_is_answered_by_the_user_and_covered_afterwards() {
    run(true, async {
        let world = World::new().await;
        let page = world.page(SITE);
        let wants =
            json!({"permissions": [{"name": "dial", "privateNetwork": true}, {"name": "peers"}]});
        let id = page.send("permissions.request", wants.clone());
        let prompt = world.prompt().await;
        assert_eq!(prompt.origin, SITE);
        assert_eq!(
            prompt.asked,
            [
                Descriptor::Peers {},
                Descriptor::Dial {
                    private_network: true
                }
            ]
        );
        assert!(!page.has_answer(&id));
        prompt.allow(Choice::Session);
        let held =
            json!({"granted": [{"name": "peers"}, {"name": "dial", "privateNetwork": true}]});
        assert_eq!(page.answer(&id).await.unwrap(), held);
        world.no_window().await;
        // Covered, also by less.
        assert_eq!(page.call("permissions.request", wants).await.unwrap(), held);
        let less = json!({"permissions": [{"name": "dial"}]});
        assert_eq!(page.call("permissions.request", less).await.unwrap(), held);
        assert_eq!(
            page.call("permissions.request", json!({"permissions": []}))
                .await
                .unwrap(),
            held
        );
        assert_eq!(world.platform.windows_opened.get(), 1);
        // Another document of the origin holds it, another origin does not.
        assert_eq!(world.page(SITE).held().await, held["granted"]);
        let other = world.page("https://site.example");
        assert_eq!(other.held().await, json!([]));
    });
}

#[test]
fn a_denial_holds_and_the_popup_undoes_it() {
    run(true, async {
        let world = World::new().await;
        let page = world.page(SITE);
        let wants = json!({"permissions": [{"name": "dial"}]});
        let id = page.send("permissions.request", wants.clone());
        world.prompt().await.deny(Choice::Session);
        assert_eq!(page.answer(&id).await.unwrap_err().0, 4001);
        assert_eq!(page.fails("peers.ping", json!({"peer": "x"})).await, 4100);
        world.no_window().await;
        // Again, and for more of the same: no window.
        let (code, data) = page
            .call("permissions.request", wants.clone())
            .await
            .unwrap_err();
        assert_eq!((code, data.get("retryAfterMs")), (4001, None));
        let more = json!({"permissions": [{"name": "dial", "privateNetwork": true}]});
        assert_eq!(page.fails("permissions.request", more).await, 4001);
        assert_eq!(world.platform.windows_opened.get(), 1);
        // Together with something new only that is asked.
        let both = json!({"permissions": [{"name": "dial"}, {"name": "peers"}]});
        let id = page.send("permissions.request", both);
        let prompt = world.prompt().await;
        assert_eq!(prompt.asked, [Descriptor::Peers {}]);
        prompt.allow(Choice::Session);
        assert_eq!(
            page.answer(&id).await.unwrap()["granted"],
            json!([{"name": "peers"}])
        );
        world.no_window().await;
        // Giving everything back leaves the denial.
        assert_eq!(
            page.call("permissions.revoke", json!({})).await.unwrap()["granted"],
            json!([])
        );
        assert_eq!(page.fails("permissions.request", wants.clone()).await, 4001);
        let popup = world.popup();
        let snapshot = popup.snapshot(|s| !s.sites.is_empty()).await;
        assert_eq!(
            snapshot.sites[0].denied,
            [Descriptor::Dial {
                private_network: false
            }]
        );
        assert_eq!(snapshot.sites[0].documents, 1);
        popup
            .command(Command::ForgetSite {
                origin: SITE.into(),
            })
            .await
            .unwrap();
        let id = page.send("permissions.request", wants);
        world.prompt().await.allow(Choice::Session);
        assert!(page.answer(&id).await.is_ok());
    });
}

#[test]
fn a_prompt_can_only_narrow() {
    run(true, async {
        let world = World::new().await;
        let page = world.page(SITE);
        let wants = json!({"permissions": [{"name": "streams", "protocols": ["/a/*", "/b/1", "/c/1"]}, {"name": "dial", "privateNetwork": true}]});
        let id = page.send("permissions.request", wants.clone());
        let prompt = world.prompt().await;
        prompt.answer(
            vec![
                streams(&["/a/*", "/evil/1"]),
                Descriptor::Dial {
                    private_network: false,
                },
                Descriptor::Identity {},
            ],
            vec![
                streams(&["/b/1"]),
                Descriptor::Dial {
                    private_network: true,
                },
            ],
            Choice::Session,
        );
        let held = json!([{"name": "dial"}, {"name": "streams", "protocols": ["/a/*"]}]);
        assert_eq!(page.answer(&id).await.unwrap()["granted"], held);
        world.no_window().await;
        // What was left open is asked again, what was denied is not.
        let id = page.send("permissions.request", wants);
        let prompt = world.prompt().await;
        assert_eq!(prompt.asked, [streams(&["/c/1"])]);
        // An answer under another id, and a second one, change nothing.
        prompt.port.receive(json!({"t": "answer", "id": "x", "granted": [{"name": "streams", "protocols": ["/c/1"]}], "denied": [], "duration": "always"}).into());
        prompt
            .port
            .receive(json!({"t": "answer", "id": prompt.id, "granted": "all"}).into());
        prompt.port.receive(Value::Null);
        prompt.deny(Choice::Session);
        prompt.allow(Choice::Session);
        assert_eq!(page.answer(&id).await.unwrap_err().0, 4001);
        assert_eq!(page.held().await, held);
    });
}

#[test]
fn requests_share_a_window_or_join_in_the_next() {
    run(true, async {
        let world = World::new().await;
        let page = world.page(SITE);
        let tab = world.page(SITE);
        let both = json!({"permissions": [{"name": "peers"}, {"name": "dial"}]});
        let first = page.send("permissions.request", both);
        let prompt = world.prompt().await;
        let covered = tab.send(
            "permissions.request",
            json!({"permissions": [{"name": "dial"}]}),
        );
        let next = tab.send(
            "permissions.request",
            json!({"permissions": [{"name": "identity"}]}),
        );
        let also = page.send(
            "permissions.request",
            json!({"permissions": [{"name": "background"}]}),
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(world.platform.windows_opened.get(), 1);
        // A window of its own cannot show it a second time.
        let (second, inbox) = world.own_page("prompt", "prompt.html");
        second.receive(json!({"t": "get", "id": prompt.id}).into());
        inbox
            .take(|m| (m.get("t")?.as_text()? == "gone").then_some(()))
            .await;
        prompt.allow(Choice::Once);
        assert!(page.answer(&first).await.is_ok());
        // `once` holds for each document that asked.
        assert!(tab.answer(&covered).await.is_ok());
        let granted = tab.held().await;
        assert_eq!(granted, json!([{"name": "peers"}, {"name": "dial"}]));
        let prompt = world.prompt().await;
        assert_eq!(
            prompt.asked,
            [Descriptor::Identity {}, Descriptor::Background {}]
        );
        // A part of it is enough for the one, and a refusal for the other.
        prompt.answer(
            vec![Descriptor::Identity {}],
            vec![Descriptor::Background {}],
            Choice::Session,
        );
        assert!(tab.answer(&next).await.is_ok());
        assert_eq!(page.answer(&also).await.unwrap_err().0, 4001);
        assert_eq!(world.platform.windows_opened.get(), 2);
    });
}

#[test]
fn a_closed_window_is_no_denial_and_three_refusals_pause() {
    run(true, async {
        let world = World::new().await;
        let page = world.page(SITE);
        let wants = json!({"permissions": [{"name": "dial"}]});
        for _ in 0..3 {
            let id = page.send("permissions.request", wants.clone());
            let prompt = world.prompt().await;
            prompt.port.closed();
            let (code, data) = page.answer(&id).await.unwrap_err();
            assert_eq!((code, data.get("retryAfterMs")), (4001, None));
            world.no_window().await;
        }
        let (code, data) = page
            .call("permissions.request", wants.clone())
            .await
            .unwrap_err();
        assert_eq!(code, 4001);
        let wait = data["retryAfterMs"].as_u64().unwrap();
        assert!((29_000..=30_000).contains(&wait), "{wait}");
        // Leaving and coming back does not end it.
        drop(page);
        let page = world.page(SITE);
        assert_eq!(page.fails("permissions.request", wants.clone()).await, 4001);
        assert_eq!(world.platform.windows_opened.get(), 3);
        tokio::time::sleep(Duration::from_millis(wait + 1)).await;
        let id = page.send("permissions.request", wants);
        world.prompt().await.allow(Choice::Session);
        assert!(page.answer(&id).await.is_ok());
    });
}

#[test]
fn windows_are_bounded_and_may_fail() {
    run(true, async {
        let world = World::new().await;
        world.platform.no_windows.set(true);
        let page = world.page(SITE);
        let wants = json!({"permissions": [{"name": "dial"}]});
        assert_eq!(
            page.fails("permissions.request", wants.clone()).await,
            -32603
        );
        world.platform.no_windows.set(false);
        // A page that asks and takes it back, again and again.
        let quick = json!({"permissions": [{"name": "dial"}], "timeoutMs": 1});
        let mut codes = Vec::new();
        for _ in 0..limits::PROMPT_BURST + 2 {
            codes.push(page.fails("permissions.request", quick.clone()).await);
        }
        assert_eq!(codes.last(), Some(&5005));
        assert!(codes.starts_with(&[5002, 5002, 5002]));
        world.no_window().await;
        // A window that never comes up counts as closed.
        let other = world.page("https://other.example");
        let started = tokio::time::Instant::now();
        assert_eq!(
            other.fails("permissions.request", wants.clone()).await,
            4001
        );
        assert!(started.elapsed() <= limits::PROMPT_LOAD + Duration::from_secs(1));
        // Of all origins together there are so many.
        let pages: Vec<_> = (0..=limits::MAX_OPEN_PROMPTS)
            .map(|n| world.page(&format!("https://n{n}.example")))
            .collect();
        let ids: Vec<_> = pages
            .iter()
            .map(|p| p.send("permissions.request", wants.clone()))
            .collect();
        let last = limits::MAX_OPEN_PROMPTS;
        assert_eq!(pages[last].answer(&ids[last]).await.unwrap_err().0, 5005);
        assert!(!pages[0].has_answer(&ids[0]));
    });
}

#[test]
fn durations_end_when_they_say() {
    run(true, async {
        let platform = Memory::new();
        let world = World::on(platform.clone()).await;
        let page = world.page(SITE);
        page.call(
            "events.subscribe",
            json!({"events": ["permissions.changed"]}),
        )
        .await
        .unwrap();
        for (name, choice) in [
            ("identity", Choice::Once),
            ("peers", Choice::Hour),
            ("dial", Choice::Session),
            ("background", Choice::Always),
        ] {
            world.allow(&page, json!([{"name": name}]), choice).await;
            page.notification("permissions.changed").await;
            world.no_window().await;
        }
        // The host crashes and comes back: what was for a document that the browser does not name is gone.
        let again = World::on(platform.clone()).await;
        let names = |granted: &serde_json::Value| -> Vec<String> {
            let granted = granted.as_array().unwrap();
            granted
                .iter()
                .map(|g| g["name"].as_str().unwrap().to_owned())
                .collect()
        };
        let reloaded = again.page(SITE);
        let held = reloaded.held().await;
        assert_eq!(names(&held), ["peers", "dial", "background"]);
        // The hour passes, and the document is told.
        tokio::time::sleep(limits::HOUR + Duration::from_secs(1)).await;
        let (changed, _) = page.notification("permissions.changed").await;
        assert_eq!(
            names(&changed["granted"]),
            ["identity", "dial", "background"]
        );
        let held = page.held().await;
        assert_eq!(names(&held), ["identity", "dial", "background"]);
        // The browser ends.
        platform.end_session();
        let later = World::on(platform.clone()).await;
        let held = later.page(SITE).held().await;
        assert_eq!(names(&held), ["background"]);
    });
}

/// A host that crashes is started anew under documents that are still there.
#[test]
fn once_outlives_the_host_with_its_document_and_ends_with_it() {
    run(true, async {
        let platform = Memory::new();
        let stored = |platform: &Memory| {
            let stored = platform.stored.borrow();
            stored
                .values()
                .filter_map(Value::as_text)
                .any(|text| text.contains("D0C1"))
        };
        let peers = json!([{"name": "peers"}]);
        let first = World::on(platform.clone()).await;
        let page = first.document(SITE, Some("D0C1"));
        let wants = json!({"permissions": peers});
        let id = page.send("permissions.request", wants.clone());
        first.prompt().await.allow(Choice::Once);
        page.answer(&id).await.unwrap();
        first.host.core().save_grants().await.unwrap();

        let second = World::on(platform.clone()).await;
        let back = second.document(SITE, Some("D0C1"));
        assert_eq!(back.held().await, peers);
        for (origin, id) in [
            (SITE, Some("D0C2")),
            (SITE, None),
            ("https://other.example", Some("D0C1")),
        ] {
            assert_eq!(second.document(origin, id).held().await, json!([]));
        }
        // It stays, whatever time passes, until the document goes.
        tokio::time::sleep(limits::DOCUMENT_RETURN * 2).await;
        assert_eq!(back.held().await, peers);
        back.port.closed();
        second.host.core().save_grants().await.unwrap();
        let third = World::on(platform.clone()).await;
        let again = third.document(SITE, Some("D0C1"));
        assert_eq!(again.held().await, json!([]));

        // A document that does not come back takes it along, a moment later.
        let id = again.send("permissions.request", wants);
        third.prompt().await.allow(Choice::Once);
        again.answer(&id).await.unwrap();
        third.host.core().save_grants().await.unwrap();
        let fourth = World::on(platform.clone()).await;
        assert!(stored(&platform));
        tokio::time::sleep(limits::DOCUMENT_RETURN + Duration::from_secs(1)).await;
        let late = fourth.document(SITE, Some("D0C1"));
        assert_eq!(late.held().await, json!([]));
        fourth.host.core().save_grants().await.unwrap();
        let fifth = World::on(platform.clone()).await;
        assert!(fifth.host.core().grants.borrow().sites(0).is_empty());
    });
}

#[test]
fn a_clock_that_is_set_back_ends_an_hour() {
    run(true, async {
        let world = World::new().await;
        let page = world.page(SITE);
        world
            .allow(&page, json!([{"name": "peers"}]), Choice::Hour)
            .await;
        world.platform.clock.set(-3_600_000);
        assert_eq!(page.held().await, json!([]));
        assert_eq!(page.fails("peers.list", json!({})).await, 4100);
    });
}

#[test]
fn taking_back_is_by_name_by_value_or_all() {
    run(true, async {
        let platform = Memory::new();
        let world = World::on(platform.clone()).await;
        let page = world.page(SITE);
        let all = json!([{"name": "identity"}, {"name": "dial", "privateNetwork": true}, {"name": "streams", "protocols": ["/a/1", "/b/*"]}, {"name": "routing", "write": true}]);
        world.allow(&page, all.clone(), Choice::Always).await;
        for (taken, left) in [
            (json!([{"name": "peers"}]), all.clone()),
            (
                json!([{"name": "dial", "privateNetwork": true}]),
                json!([{"name": "identity"}, {"name": "dial"}, {"name": "streams", "protocols": ["/a/1", "/b/*"]}, {"name": "routing", "write": true}]),
            ),
            (
                json!([{"name": "streams", "protocols": ["/a/1", "/x/1"]}]),
                json!([{"name": "identity"}, {"name": "dial"}, {"name": "streams", "protocols": ["/b/*"]}, {"name": "routing", "write": true}]),
            ),
            (
                json!([{"name": "streams"}, {"name": "routing", "write": true}]),
                json!([{"name": "identity"}, {"name": "dial"}, {"name": "routing"}]),
            ),
            (
                json!([{"name": "dial"}]),
                json!([{"name": "identity"}, {"name": "routing"}]),
            ),
        ] {
            let answer = page
                .call("permissions.revoke", json!({"permissions": taken}))
                .await;
            assert_eq!(answer.unwrap()["granted"], left, "{taken}");
        }
        // It is stored before it is answered.
        let again = World::on(platform.clone()).await;
        let held = again.page(SITE).held().await;
        assert_eq!(held, json!([{"name": "identity"}, {"name": "routing"}]));
        assert_eq!(
            page.call("permissions.revoke", json!({})).await.unwrap()["granted"],
            json!([])
        );
        // What cannot be stored holds now, and the page is told.
        world
            .allow(&page, json!([{"name": "peers"}]), Choice::Always)
            .await;
        platform.broken.set(true);
        assert_eq!(page.fails("permissions.revoke", json!({})).await, -32603);
        assert_eq!(page.held().await, json!([]));
    });
}

#[test]
fn a_damaged_store_grants_nothing_and_says_so() {
    run(true, async {
        let platform = Memory::new();
        let world = World::on(platform.clone()).await;
        let page = world.page(SITE);
        for name in ["peers", "dial"] {
            world
                .allow(&page, json!([{"name": name}]), Choice::Always)
                .await;
            world.no_window().await;
        }
        world.host.core().save_grants().await.unwrap();
        // One slot is enough.
        platform.put(Area::Storage, "grants.a", Value::Number(5.0));
        let again = World::on(platform.clone()).await;
        let held = again.page(SITE).held().await;
        assert!(!held.as_array().unwrap().is_empty());
        // A record that somebody wrote by hand has no checksum.
        for slot in ["grants.a", "grants.b"] {
            let forged = r#"mooring1.9.00.{"version":1,"origins":{}}"#;
            platform.put(Area::Storage, slot, Value::text(forged));
        }
        let damaged = World::on(platform.clone()).await;
        let page = damaged.page(SITE);
        assert_eq!(page.held().await, json!([]));
        let snapshot = damaged.popup().snapshot(|_| true).await;
        assert!(snapshot.reason.unwrap_or_default().contains("permissions"));
        // The next decision is stored as usual.
        damaged
            .allow(&page, json!([{"name": "peers"}]), Choice::Always)
            .await;
        damaged.host.core().save_grants().await.unwrap();
        let fine = World::on(platform).await;
        let held = fine.page(SITE).held().await;
        assert_eq!(held, json!([{"name": "peers"}]));
    });
}

/// A store that did not answer once must not lose what is in it to whatever is decided afterwards.
#[test]
fn a_store_that_could_not_be_read_is_not_written_over() {
    run(true, async {
        let platform = Memory::new();
        let world = World::on(platform.clone()).await;
        let page = world.page(SITE);
        world
            .allow(&page, json!([{"name": "peers"}]), Choice::Always)
            .await;
        world.host.core().save_grants().await.unwrap();

        platform.broken.set(true);
        let unread = World::on(platform.clone()).await;
        platform.broken.set(false);
        // Until it is read that every site may know of the node.
        tokio::time::sleep(limits::RESTART_MIN * 2).await;
        let other = unread.page("https://other.example");
        let _ = other.call("permissions.revoke", json!({})).await;
        assert_eq!(
            unread.host.core().save_grants().await,
            Err(crate::Error::GrantsUnread)
        );

        let again = World::on(platform).await;
        let held = again.page(SITE).held().await;
        assert_eq!(held, json!([{"name": "peers"}]));
    });
}

/// The storage is full: nothing that was stored is lost, nobody is told to hold what is not stored, and everybody sees why.
#[test]
fn a_full_storage_is_said_and_stored_again_when_there_is_room() {
    run(true, async {
        let platform = Memory::new();
        let world = World::on(platform.clone()).await;
        world.node_is("online").await;
        let page = world.page(SITE);
        world
            .allow(&page, json!([{"name": "peers"}]), Choice::Always)
            .await;
        page.call("events.subscribe", json!({"events": ["node.stateChanged"]}))
            .await
            .unwrap();
        let popup = world.popup();
        let stored = || platform.stored.borrow().clone();
        let before = stored();

        platform.full.set(true);
        let wants = json!({"permissions": [{"name": "dial"}]});
        let id = page.send("permissions.request", wants);
        world.prompt().await.allow(Choice::Always);
        let (code, _) = page.answer(&id).await.unwrap_err();
        assert_eq!(code, -32603);
        assert_eq!(stored(), before);
        let (changed, _) = page.notification("node.stateChanged").await;
        assert_eq!(changed["state"], "online");
        let full = |reason: &str| reason.contains("storage is full");
        assert!(full(changed["reason"].as_str().unwrap()), "{changed}");
        let says = |reason: &Option<String>| reason.as_deref().is_some_and(full);
        popup.snapshot(|shown| says(&shown.reason)).await;
        // Whoever starts from what is stored finds what was there before.
        let next = World::on(platform.clone()).await;
        assert_eq!(next.page(SITE).held().await, json!([{"name": "peers"}]));
        drop(next);

        platform.full.set(false);
        let (changed, _) = page.notification("node.stateChanged").await;
        assert_eq!(changed, json!({"state": "online"}));
        popup.snapshot(|shown| shown.reason.is_none()).await;
        let next = World::on(platform.clone()).await;
        let held = next.page(SITE).held().await;
        assert_eq!(held, json!([{"name": "peers"}, {"name": "dial"}]));
    });
}
