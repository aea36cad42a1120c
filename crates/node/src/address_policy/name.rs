//! Which DNS names may lead to a public host, by their spelling alone.
//!
//! A browser hands the name to its URL parser, which reads more as an IP address than a resolver
//! would (WHATWG URL, "host parsing" and "IPv4 parser"); so the same is done here.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{
    Class,
    ip::{is_global_v4, is_global_v6},
};

/// Top-level names, and names below them, that never are a public host: RFC 6761 and 6762, 8375,
/// 7686, 9476, ICANN's `.internal`, the infrastructure domain, and those that only home and
/// company networks use because ICANN will not delegate them.
const SPECIAL_SUFFIXES: &[&str] = &[
    "alt",
    "arpa",
    "corp",
    "example",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "private",
    "test",
];

/// Longest name in presentation form (RFC 1035, section 2.3.4).
const MAX_NAME: usize = 253;
/// Longest label (same).
const MAX_LABEL: usize = 63;

/// Judges a name from a `/dns…` component.
pub(super) fn class_of_name(name: &str) -> Class {
    if !name.is_ascii() || name.contains('%') {
        // A URL parser maps full-width digits, ideographic dots, soft hyphens and percent signs
        // to plain letters: such a name could spell anything.
        return Class::Unclear;
    }
    if let Some(class) = class_of_v6_literal(name) {
        return class;
    }
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let labels: Vec<&str> = name.split('.').collect();
    let well_formed = name.len() <= MAX_NAME
        && labels.iter().all(|label| {
            !label.is_empty()
                && label.len() <= MAX_LABEL
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        });
    let Some(last) = labels.last().filter(|_| well_formed) else {
        return Class::Malformed;
    };
    if is_number(last) {
        return match parse_v4(&labels) {
            Some(address) if is_global_v4(address) => Class::Global,
            Some(_) => Class::NonGlobal,
            None => Class::Malformed,
        };
    }
    if labels.len() == 1 || SPECIAL_SUFFIXES.contains(last) {
        return Class::NonGlobal;
    }
    Class::Global
}

/// `[::1]`, `::1`, `fe80::1%eth0` are no names, but a careless dialer would take them.
fn class_of_v6_literal(name: &str) -> Option<Class> {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let address: Ipv6Addr = bare.parse().ok()?;
    Some(if is_global_v6(address) {
        Class::Malformed
    } else {
        Class::NonGlobal
    })
}

/// The last label decides whether a URL parser takes the whole for an IPv4 address.
fn is_number(label: &str) -> bool {
    label.bytes().all(|b| b.is_ascii_digit()) || hex_digits(label).is_some()
}

fn hex_digits(label: &str) -> Option<&str> {
    label
        .strip_prefix("0x")
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// One to four numbers, each decimal, octal or hexadecimal, the last one filling the rest.
fn parse_v4(labels: &[&str]) -> Option<Ipv4Addr> {
    let numbers: Vec<u64> = labels
        .iter()
        .map(|label| parse_number(label))
        .collect::<Option<_>>()?;
    let (last, leading) = numbers.split_last()?;
    if leading.len() > 3 {
        return None;
    }
    let mut bits: u64 = 0;
    for number in leading {
        if *number > 255 {
            return None;
        }
        bits = bits.checked_mul(256)?.checked_add(*number)?;
    }
    let rest = 4_u32.checked_sub(u32::try_from(leading.len()).ok()?)?;
    let room = 256_u64.checked_pow(rest)?;
    if *last >= room {
        return None;
    }
    let bits = bits.checked_mul(room)?.checked_add(*last)?;
    u32::try_from(bits).ok().map(Ipv4Addr::from_bits)
}

fn parse_number(label: &str) -> Option<u64> {
    if let Some(digits) = hex_digits(label) {
        return if digits.is_empty() {
            Some(0)
        } else {
            u64::from_str_radix(digits, 16).ok()
        };
    }
    match label.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => u64::from_str_radix(octal, 8).ok(),
        _ => label.parse().ok(),
    }
}
