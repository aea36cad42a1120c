//! Every bound of the popup, and why it is what it is.

/// Before this many milliseconds without a word from the node, "looking for it" is the honest thing to say; after it
/// the popup says that the node is not running. With the time that the popup takes to load, below two seconds.
pub const LOOKING_MS: u64 = 1_500;

/// A node that does not come back in this time will not by waiting longer: a new one takes three seconds at most.
pub const RESTARTING_MS: u64 = 12_000;

/// The host answers a dial within 30 s; a command without an answer by then has lost its host.
pub const COMMAND_MS: u64 = 35_000;

/// Commands in flight. A person cannot press more buttons than this before the first are answered.
pub const MAX_PENDING: usize = 32;

/// Rows shown of a list. The node holds fewer connections and sites; a list above this says how many more there are.
pub const MAX_ROWS: usize = 1_000;

/// Characters of a text that is shown whole. What peers say of themselves is theirs to choose.
pub const MAX_TEXT: usize = 512;

/// Characters of a peer's name for itself: what fits on a row's line.
pub const MAX_LABEL: usize = 40;

/// Characters of an address on a row. Two lines of the popup at the width that it has.
pub const MAX_ADDRESS: usize = 72;

/// Characters of a peer id on a row: enough of both ends to tell peers apart at a glance.
pub const MAX_PEER: usize = 13;

/// Characters of a certificate hash or foreign peer id inside an address.
pub const MAX_HASH: usize = 11;

/// Characters of an address to dial. A multiaddr with two relays and a handful of certificate hashes has under 1,000.
pub const MAX_DIAL_INPUT: usize = 2_048;

/// Characters of a list of servers: four names, each with the longest name and password that the node takes.
pub const MAX_SERVERS_INPUT: usize = 8_192;

/// Sites named on a connection before "and others": what fits on the line.
pub const MAX_OWNERS: usize = 2;

/// Milliseconds between two writes of what was last seen. Storage is written through to the disk.
pub const LAST_SEEN_EVERY_MS: u64 = 15_000;

/// Milliseconds that "Copied" stays on a button.
pub const COPIED_MS: u64 = 1_600;

/// Milliseconds between two looks at the clock. Ages show minutes, time limits seconds.
pub const TICK_MS: u64 = 1_000;
