//! What a request needs to hold until it has ended, and what becomes of it when that is taken back.

use mooring_api::{Descriptor, GrantName, descriptor::covers};

use super::plan::Work;

/// What must be held while a request is in flight: it was judged once, and grants may end meanwhile.
#[derive(Debug, PartialEq)]
pub(super) struct Needs(Vec<Descriptor>);

impl Needs {
    /// What work needs beyond the judgement that it has passed. Work that does nothing later needs nothing.
    pub(super) fn of(grant: Option<GrantName>, work: &Work) -> Needs {
        let streams = |protocols: &[libp2p::StreamProtocol]| Descriptor::Streams {
            protocols: protocols.iter().map(ToString::to_string).collect(),
        };
        let dial = |scope: mooring_node::Scope| Descriptor::Dial {
            private_network: scope.private_network,
        };
        Needs(match work {
            Work::Dial { scope, .. } => vec![dial(*scope)],
            Work::OpenStream {
                protocols,
                dial: scope,
                ..
            } => [streams(protocols)]
                .into_iter()
                .chain(scope.map(dial))
                .collect(),
            Work::Handle(protocols) => vec![streams(protocols)],
            Work::Dht(lookup, scope) => {
                let write = lookup.writes();
                // What it may dial on the way may be taken back as well.
                let private = scope.private_network.then(|| dial(*scope));
                [Descriptor::Routing { write }]
                    .into_iter()
                    .chain(private)
                    .collect()
            }
            Work::Pubsub(ask) => vec![ask.needs()],
            _ => match grant {
                Some(GrantName::Identity) => vec![Descriptor::Identity {}],
                Some(GrantName::Peers) => vec![Descriptor::Peers {}],
                Some(GrantName::Dial) => vec![Descriptor::Dial {
                    private_network: false,
                }],
                _ => Vec::new(),
            },
        })
    }

    /// Whether all of it is among what is held.
    pub(super) fn met_by(&self, held: &[Descriptor]) -> bool {
        self.0.iter().all(|need| covers(held, need))
    }
}
