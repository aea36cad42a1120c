//! Which IP addresses are globally reachable unicast.
//!
//! Sources: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its updates),
//! RFC 1112 (multicast), RFC 6052 (NAT64), RFC 3056 (6to4).

use std::net::{Ipv4Addr, Ipv6Addr};

/// Blocks of the IPv4 registry that are not globally reachable, and multicast.
const V4_SPECIAL: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Within 192.0.0.0/24: PCP and TURN anycast, which the registry calls globally reachable.
const V4_EXCEPTIONS: &[Ipv4Addr] = &[Ipv4Addr::new(192, 0, 0, 9), Ipv4Addr::new(192, 0, 0, 10)];

/// Entries of the IPv6 registry within 2000::/3. All are out, also the anycast services that the
/// registry calls reachable: no peer has such an address. 2002::/16 is judged by what it embeds.
const V6_SPECIAL: &[(Ipv6Addr, u32)] = &[
    // Protocol assignments: Teredo, benchmarking, AMT, ORCHID, DRIP and more.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

const V6_GLOBAL: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
const V6_6TO4: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16);
const V6_MAPPED: (Ipv6Addr, u32) = (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);
/// The well-known NAT64 prefix. 64:ff9b:1::/48 is for local use, and never global.
const V6_NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

fn v4_in(address: Ipv4Addr, (network, length): (Ipv4Addr, u32)) -> bool {
    let mask = u32::MAX
        .checked_shl(32_u32.saturating_sub(length))
        .unwrap_or(0);
    address.to_bits() & mask == network.to_bits()
}

fn v6_in(address: Ipv6Addr, (network, length): (Ipv6Addr, u32)) -> bool {
    let mask = u128::MAX
        .checked_shl(128_u32.saturating_sub(length))
        .unwrap_or(0);
    address.to_bits() & mask == network.to_bits()
}

/// Is this IPv4 address globally reachable unicast?
pub(super) fn is_global_v4(address: Ipv4Addr) -> bool {
    V4_EXCEPTIONS.contains(&address) || !V4_SPECIAL.iter().any(|block| v4_in(address, *block))
}

/// Is this IPv6 address globally reachable unicast? One that embeds an IPv4 address is judged as
/// that one.
pub(super) fn is_global_v6(address: Ipv6Addr) -> bool {
    let [_, _, s2, s3, s4, s5, ..] = address.octets();
    let [.., l0, l1, l2, l3] = address.octets();
    if v6_in(address, V6_MAPPED) || v6_in(address, V6_NAT64) {
        return is_global_v4(Ipv4Addr::new(l0, l1, l2, l3));
    }
    if v6_in(address, V6_6TO4) {
        return is_global_v4(Ipv4Addr::new(s2, s3, s4, s5));
    }
    v6_in(address, V6_GLOBAL) && !V6_SPECIAL.iter().any(|block| v6_in(address, *block))
}
