use proptest::prelude::*;

use super::*;

const PEER: &str = "12D3KooWGjMCwLbRsF5HsV9uQXAB8zyrCTqbtLEd5mvv1vfMFLqV";

#[test]
fn spans_are_coarse() {
    const HOUR: u64 = 60 * MINUTE_MS;
    for (ms, said) in [
        (0, "just now"),
        (59_999, "just now"),
        (60_000, "1 min"),
        (59 * MINUTE_MS, "59 min"),
        (HOUR, "1 h"),
        (2 * HOUR + 5 * MINUTE_MS, "2 h 5 min"),
        (24 * HOUR, "1 d"),
        (73 * HOUR + MINUTE_MS, "3 d 1 h"),
    ] {
        assert_eq!(span(ms), said);
    }
}

#[test]
fn what_is_left_is_rounded_up() {
    assert_eq!(remaining(0), "it is over");
    assert_eq!(remaining(1), "for 1 min");
    assert_eq!(remaining(60_000), "for 1 min");
    assert_eq!(remaining(60_001), "for 2 min");
    assert_eq!(remaining(3_600_000), "for 1 h");
}

#[test]
fn round_trips_have_the_digits_that_say_something() {
    for (ms, said) in [
        (0.0, "< 1 ms"),
        (0.999, "< 1 ms"),
        (1.0, "1.0 ms"),
        (9.94, "9.9 ms"),
        (9.96, "10 ms"),
        (24.4, "24 ms"),
        (999.4, "999 ms"),
        (999.6, "1.0 s"),
        (12_340.0, "12.3 s"),
    ] {
        assert_eq!(round_trip(ms).as_deref(), Some(said), "{ms}");
    }
    for none in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
        assert_eq!(round_trip(none), None);
    }
}

#[test]
fn counts_agree_in_number() {
    assert_eq!(count(0, "peer", "peers"), "0 peers");
    assert_eq!(count(1, "peer", "peers"), "1 peer");
    assert_eq!(count(2, "peer", "peers"), "2 peers");
}

#[test]
fn the_middle_goes() {
    assert_eq!(shorten("abc", 3), "abc");
    assert_eq!(shorten("abcdef", 5), "ab…ef");
    assert_eq!(shorten("abcdefg", 4), "ab…g");
    assert_eq!(shorten("äöüäöü", 4), "äö…ü");
    assert_eq!(peer(PEER), "12D3Ko…fMFLqV");
}

#[test]
fn an_address_keeps_what_tells_it_apart() {
    let hash = "uEiDikp5KVUgkLta1EjUN-IKbHk-dUBg8VzKgf5nXxLK46w";
    assert_eq!(
        address(
            &format!("/ip4/203.0.113.9/udp/4001/webrtc-direct/certhash/{hash}/p2p/{PEER}"),
            PEER
        ),
        "/ip4/203.0.113.9/udp/4001/webrtc-direct/certhash/uEiDi…LK46w"
    );
    // Through a relay the relay's id stays, short; the far peer's goes.
    let relay = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
    assert_eq!(
        address(
            &format!("/dns4/relay.example/tcp/443/wss/p2p/{relay}/p2p-circuit/p2p/{PEER}"),
            PEER
        ),
        "/dns4/relay.example/tcp/443/wss/p2p/12D3K…6nXTN/p2p-circuit"
    );
    // An address that is nothing but the peer stays that.
    assert_eq!(address(&format!("/p2p/{PEER}"), PEER), "/p2p/12D3K…MFLqV");
    assert_eq!(address("not an address", PEER), "not an address");
    assert_eq!(address("/p2p", PEER), "/p2p");
    assert_eq!(address("", PEER), "");
}

#[test]
fn an_origin_says_what_is_not_plain() {
    assert_eq!(origin("https://app.example:8443"), "app.example:8443");
    assert_eq!(origin("http://localhost:3000"), "http://localhost:3000");
    assert_eq!(origin("https://"), "https://");
}

#[test]
fn what_hides_or_turns_round_is_left_out() {
    assert_eq!(
        clean("  go\u{202e}-libp2p\n\t0.51\u{0} \u{200b} ", 80),
        "go-libp2p 0.51"
    );
    assert_eq!(clean("abcdef", 3), "abc…");
    assert_eq!(clean("abc def", 3), "abc…");
    assert_eq!(clean("abc   ", 3), "abc");
}

proptest! {
    #[test]
    fn shortened_text_keeps_both_ends_and_the_bound(text in ".{0,200}", most in 0_usize..80) {
        let short = shorten(&text, most);
        prop_assert!(short.chars().count() <= most.max(3));
        if text.chars().count() <= most {
            prop_assert_eq!(&short, &text);
        }
        prop_assert_eq!(short.chars().next(), text.chars().next());
        prop_assert_eq!(short.chars().last(), text.chars().last());
    }

    #[test]
    fn clean_text_is_bounded_visible_and_stays_clean(text in any::<String>(), most in 0_usize..80) {
        let cleaned = clean(&text, most);
        prop_assert!(cleaned.chars().count() <= most.saturating_add(1));
        prop_assert!(!cleaned.chars().any(|c| c.is_control() || is_invisible(c)));
        prop_assert_eq!(clean(&cleaned, most.saturating_add(1)), cleaned);
    }

    #[test]
    fn no_address_breaks_the_shortening(text in any::<String>(), peer in any::<String>()) {
        prop_assert!(address(&text, &peer).chars().count() <= MAX_ADDRESS);
    }

    #[test]
    fn multiaddr_like_text_neither(parts in proptest::collection::vec("(p2p|certhash|ip4|p2p-circuit|[a-z0-9]{0,60})", 0..12)) {
        let text = format!("/{}", parts.join("/"));
        let short = address(&text, PEER);
        prop_assert!(short.chars().count() <= MAX_ADDRESS);
        prop_assert!(short.starts_with('/'));
    }

    #[test]
    fn any_number_is_formatted(ms in any::<u64>(), rtt in any::<f64>()) {
        prop_assert!(!span(ms).is_empty());
        prop_assert!(!remaining(ms).is_empty());
        if let Some(text) = round_trip(rtt) {
            prop_assert!(text.ends_with("ms") || text.ends_with('s'));
        }
    }
}
