//! Every bound of the host, with its reason. What the contract itself names is in [`mooring_api::limits`]; what the
//! swarm bounds is in [`mooring_node::Limits`].

use std::{collections::BTreeMap, time::Duration};

/// Deepest nesting that is converted at all. Above the contract's 32, which the content script enforces on the whole
/// envelope, so that the two never disagree; far below what recursion can bear.
pub const MAX_DEPTH: usize = 40;
/// Most text and bytes in one message, counted before they are copied into wasm's memory, which never shrinks. Above
/// the contract's 1 MiB, which the content script enforces by its own measure.
pub const MAX_MESSAGE_WEIGHT: usize = 2 * 1024 * 1024;
/// Most values in one message: each costs some 32 bytes here whatever it weighs in the page.
pub const MAX_MESSAGE_VALUES: usize = 65_536;

/// Documents of one origin that are served at once; the rest meet silence. More tabs of one site than anybody opens.
pub const MAX_SESSIONS_PER_ORIGIN: usize = 256;
/// Documents served at once.
pub const MAX_SESSIONS: usize = 2048;
/// Origins whose quotas are remembered: those with documents, and those that left and might come back to a pause.
pub const MAX_ORIGINS: usize = 4096;
/// Popup and prompt pages connected at once. One popup is open at a time, and [`MAX_OPEN_PROMPTS`] prompts; the rest
/// leaves room for those on their way out.
pub const MAX_EXTENSION_PORTS: usize = 64;

/// Requests of one origin in flight. The contract promises 64.
pub const MAX_IN_FLIGHT_PER_ORIGIN: u32 = 128;
/// `node.hello`, `node.status` and `permissions.query` a second and at once. The contract promises 2,000.
pub const QUICK_PER_SECOND: u32 = 4000;
/// Other requests a second and at once. The contract promises 200 publishes, and 1,000 streams may be wanted at once.
pub const REQUESTS_PER_SECOND: u32 = 1000;
/// Dials at once: as many as requests may be in flight by the contract.
pub const DIAL_BURST: u32 = 64;
/// Dials a second after that: a page that dials more is scanning.
pub const DIALS_PER_SECOND: u32 = 8;
/// Lookups in the DHT at once: as many as requests may be in flight by the contract.
pub const LOOKUP_BURST: u32 = 64;
/// Lookups a second after that: each asks some dozens of peers.
pub const LOOKUPS_PER_SECOND: u32 = 8;
/// Lookups of one origin in flight: the node works on a few at a time and shares the turns between the origins.
pub const MAX_LOOKUPS_PER_ORIGIN: u32 = 64;
/// Most providers that one lookup may ask for.
pub const MAX_PROVIDERS: u32 = 1000;
/// Most bytes of a record: what servers of the DHT take in a message of 16 KiB, as small ones are.
pub const MAX_RECORD_VALUE: usize = 8 * 1024;
/// Events a second to one document; a remote that makes connections come and go must not drown a page.
pub const EVENTS_PER_SECOND: u32 = 500;

/// Topics that one origin is subscribed to at once: a quarter of what the node is in for all of them.
pub const MAX_TOPICS_PER_ORIGIN: usize = 64;
/// Topics joined at once: every peer is told of each.
pub const JOIN_BURST: u32 = 64;
/// Topics joined a second after that. What a slow peer was not told yet waits without a bound in gossipsub, so that this is the bound.
pub const JOINS_PER_SECOND: u32 = 4;
/// Messages published a second and at once. The contract promises 200.
pub const PUBLISHES_PER_SECOND: u32 = 250;
/// Bytes of a published message: the node's bound.
pub const MAX_PUBLISH_BYTES: usize = mooring_node::limits::PUBLISH_BYTES;
/// Messages of topics to one document at once …
pub const MESSAGE_BURST: u32 = 1000;
/// … and a second after that. A page cannot say that it does not keep up, and what it has not taken piles up in the browser.
pub const MESSAGES_PER_SECOND: u32 = 500;
/// Bytes of these at once …
pub const MESSAGE_BYTES_BURST: u32 = 16 * 1024 * 1024;
/// … and a second after that.
pub const MESSAGE_BYTES_PER_SECOND: u32 = 4 * 1024 * 1024;
/// Messages that wait for an origin's next tab, in all its topics, where it holds `background`: what came while a page was loaded anew, and
/// the last of what a closed one missed.
pub const MAX_WAITING_MESSAGES: usize = 256;
/// Bytes of these, with [`MESSAGE_COST`] for each. The node is in 256 topics at most, so that 256 origins are the most that wait.
pub const MAX_WAITING_BYTES: usize = 1024 * 1024;
/// What a message costs besides its data: its ids, its topic and its envelope.
pub const MESSAGE_COST: usize = 512;

/// How long a request waits for a node that is starting before it gets 4900: the contract's 2 s.
pub const NODE_WAIT: Duration = Duration::from_secs(2);

/// STUN servers asked: browsers warn from five on, as each makes every connection slower to set up.
pub const MAX_ICE_SERVERS: usize = 4;

/// Longest name or password of a TURN server. Those made for a time carry a time stamp and a hash: about 100.
pub const MAX_ICE_CREDENTIAL: usize = 512;

/// Open streams of one origin, both directions. The contract promises 1,000.
pub const MAX_STREAMS_PER_ORIGIN: u32 = 2000;
/// Protocols that one origin handles at once. The node accepts 128 for all of them together, since it tells every peer
/// of each: an eighth of that leaves the other origins theirs, and is more than an application speaks.
pub const MAX_HANDLED_PER_ORIGIN: usize = 16;
/// Bytes of their ids together; the node's limit for all origins is 2,048.
pub const MAX_HANDLED_BYTES_PER_ORIGIN: usize = 512;
/// Inbound streams of one origin that wait for its next tab, where it holds `background`. Each one may hold a window of
/// its connection.
pub const MAX_WAITING_STREAMS: usize = 16;
/// How long they wait: about as long as a remote that got no answer has patience.
pub const STREAM_PATIENCE: Duration = Duration::from_secs(120);
/// Bytes taken from a stream at once on the way to a page: larger messages were no faster through a runtime Port, and
/// each stream that is being read holds one such buffer for a moment.
pub const READ_CHUNK: usize = 64 * 1024;
/// Bytes read before the page granted credit for them, so that an end of the stream right after the last credited
/// byte is noticed.
pub const READ_AHEAD: usize = 1024;
/// How long bytes for a page wait for more to go with them, on a stream on which bytes come all the time.
pub const GATHER: Duration = Duration::from_millis(5);
/// A stream is such while the page was told bytes so recently.
pub const GATHER_BUSY: Duration = Duration::from_millis(20);
/// Fewer bytes than this do not wait: half of what a data channel hands over at once in a transfer. What is said bit by bit is not
/// slowed down.
pub const GATHER_FROM: usize = 8 * 1024;
/// Messages of a stream that do not wait after one has waited in vain; doubles up to [`GATHER_PAUSE_MAX`].
pub const GATHER_PAUSE_MIN: u32 = 8;
/// Most messages that do not wait after one has waited in vain.
pub const GATHER_PAUSE_MAX: u32 = 256;
/// Steps that one stream takes before the others have their turn.
pub const PUMP_STEPS: usize = 16;
/// Credit towards a page for each of its first streams.
pub const CREDIT_FEW: u64 = 1024 * 1024;
/// Up to how many streams of an origin get [`CREDIT_FEW`]: 32 MiB in all.
pub const FEW_STREAMS: u32 = 32;
/// Credit for each stream after those.
pub const CREDIT_SOME: u64 = 256 * 1024;
/// Up to how many streams get [`CREDIT_SOME`]: 64 MiB in all.
pub const SOME_STREAMS: u32 = 256;
/// Credit for each stream after those: 125 MiB for the whole origin at its cap.
pub const CREDIT_MANY: u64 = 64 * 1024;

/// Values (protocols, topics, switches) in one prompt: nobody reads more.
pub const MAX_PROMPT_VALUES: usize = 256;
/// Values that one origin can hold or be denied.
pub const MAX_VALUES_PER_ORIGIN: usize = 1024;
/// Origins in the store of grants. Each one took a click.
pub const MAX_GRANT_ORIGINS: usize = 4096;
/// Prompt windows open at once, of all origins.
pub const MAX_OPEN_PROMPTS: usize = 8;
/// Prompt windows of one origin at once, before [`PROMPT_REFILL`] counts: a page that asks and takes it back
/// in a loop must not make windows flicker.
pub const PROMPT_BURST: u32 = 10;
/// Time after which an origin may open one prompt more.
pub const PROMPT_REFILL: Duration = Duration::from_secs(3);
/// Refusals within [`REFUSAL_WINDOW`] that make an origin pause: the contract's three.
pub const REFUSALS: usize = 3;
/// The contract's 30 s.
pub const REFUSAL_WINDOW: Duration = Duration::from_secs(30);
/// How long an origin pauses after that.
pub const REFUSAL_PAUSE: Duration = Duration::from_secs(30);
/// How long a prompt window may take to come up and ask what to show, before it counts as closed.
pub const PROMPT_LOAD: Duration = Duration::from_secs(15);
/// How long `hour` is.
pub const HOUR: Duration = Duration::from_secs(60 * 60);
/// Longest id of a document that is taken from the browser; Chromium's have 32 characters.
pub const MAX_DOCUMENT_ID: usize = 64;
/// How long after the start of a host what was given `once` waits for its document to come back: content scripts try
/// at least each 5 s.
pub const DOCUMENT_RETURN: Duration = Duration::from_secs(30);
/// How far the clock may run backwards before a grant with an end counts as ended.
pub const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// Time limit of one access to the extension's storage: it goes through the service worker, which may have to start.
pub const STORAGE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest stored record that is written or read, in bytes. What is read comes as a message does.
pub const MAX_RECORD_BYTES: usize = MAX_MESSAGE_WEIGHT;
/// Longest record of the grants, in bytes: there are two slots for each of its two stores, and as many copies of damaged
/// ones as [`MAX_ASIDE`]; storage as a whole holds 10 MiB in Chrome. Some ten thousand decisions.
pub const MAX_GRANTS_BYTES: usize = 1024 * 1024;
/// The peers that the node remembers are stored at most this often, and only when something has changed: a crash costs less than a
/// minute of them.
pub const KNOWN_PEERS_EVERY: Duration = Duration::from_secs(20);
/// Damaged records that are kept aside for each store.
pub const MAX_ASIDE: u64 = 3;

/// First wait before a node that ended is started again; doubles up to [`RESTART_MAX`].
pub const RESTART_MIN: Duration = Duration::from_millis(500);
/// Longest wait between two starts.
pub const RESTART_MAX: Duration = Duration::from_secs(60);
/// A node that ran this long starts with [`RESTART_MIN`] again.
pub const RESTART_FORGET: Duration = Duration::from_secs(300);

/// How often the clocks are compared, to notice that the machine slept.
pub const CLOCK_EVERY: Duration = Duration::from_secs(2);
/// So much more than that, and it did: timers are seconds late on a busy machine.
pub const CLOCK_GAP: Duration = Duration::from_secs(8);

/// Least time between two snapshots for the popup.
pub const SNAPSHOT_EVERY: Duration = Duration::from_millis(250);
/// Snapshots are also made this often while a popup is open: round-trip times change without an event.
pub const SNAPSHOT_POLL: Duration = Duration::from_secs(2);
/// Time limit of one command of the popup.
pub const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// Commands of one popup in flight.
pub const MAX_POPUP_COMMANDS: u32 = 32;

/// The quotas behind 5005 as `node.status` names them.
pub fn reported() -> BTreeMap<String, u32> {
    [
        ("requestsInFlight", MAX_IN_FLIGHT_PER_ORIGIN),
        ("requestsPerSecond", REQUESTS_PER_SECOND),
        ("quickRequestsPerSecond", QUICK_PER_SECOND),
        ("dialsAtOnce", DIAL_BURST),
        ("dialsPerSecond", DIALS_PER_SECOND),
        (
            "dialsWaiting",
            u32::try_from(mooring_node::Limits::client().waiting_dials.each).unwrap_or(u32::MAX),
        ),
        ("lookupsAtOnce", LOOKUP_BURST),
        ("lookupsPerSecond", LOOKUPS_PER_SECOND),
        ("lookupsInFlight", MAX_LOOKUPS_PER_ORIGIN),
        (
            "providedKeys",
            u32::try_from(mooring_node::limits::PROVIDED_PER_OWNER).unwrap_or(u32::MAX),
        ),
        (
            "subscriptions",
            u32::try_from(MAX_TOPICS_PER_ORIGIN).unwrap_or(u32::MAX),
        ),
        ("newSubscriptionsPerSecond", JOINS_PER_SECOND),
        ("publishesPerSecond", PUBLISHES_PER_SECOND),
        (
            "publishBytes",
            u32::try_from(MAX_PUBLISH_BYTES).unwrap_or(u32::MAX),
        ),
        ("streams", MAX_STREAMS_PER_ORIGIN),
        (
            "handledProtocols",
            u32::try_from(MAX_HANDLED_PER_ORIGIN).unwrap_or(u32::MAX),
        ),
        (
            "handledProtocolBytes",
            u32::try_from(MAX_HANDLED_BYTES_PER_ORIGIN).unwrap_or(u32::MAX),
        ),
        (
            "heldPermissions",
            u32::try_from(MAX_VALUES_PER_ORIGIN).unwrap_or(u32::MAX),
        ),
        (
            "promptsOpen",
            u32::try_from(MAX_OPEN_PROMPTS).unwrap_or(u32::MAX),
        ),
    ]
    .into_iter()
    .map(|(name, limit)| (name.to_owned(), limit))
    .collect()
}
