//! `pubsub.*`.

use std::rc::Rc;

use mooring_api::{
    Descriptor, ErrorObject, Method, params,
    results::{Published, TopicPeers},
};

use super::{
    Session,
    plan::{read, take_bytes, topic},
    work::{Outcome, done, nothing},
};
use crate::{
    Value,
    error::{from_node, too_large},
    host::Core,
    limits::MAX_PUBLISH_BYTES,
    quota::exceeded,
    topics,
};

/// What is asked about one topic.
#[derive(Debug, PartialEq)]
pub(super) struct Ask {
    topic: String,
    what: What,
}

#[derive(Debug, PartialEq)]
enum What {
    Subscribe,
    Unsubscribe,
    Publish(Vec<u8>),
    Peers,
}

impl Ask {
    /// What must be held until it is done.
    pub(super) fn needs(&self) -> Descriptor {
        Descriptor::Pubsub {
            topics: vec![self.topic.clone()],
        }
    }
}

pub(super) fn plan(
    held: &[Descriptor],
    method: Method,
    mut params: Value,
) -> Result<Ask, ErrorObject> {
    let what = match method {
        Method::PubsubPublish => What::Publish(take_bytes(&mut params, "data")?),
        Method::PubsubSubscribe => What::Subscribe,
        Method::PubsubUnsubscribe => What::Unsubscribe,
        _ => What::Peers,
    };
    let name = read::<params::Topic>(params)?.topic;
    topic(held, &name)?;
    Ok(Ask { topic: name, what })
}

pub(super) async fn run(
    core: &Rc<Core>,
    session: &Rc<Session>,
    ask: Ask,
) -> Result<Outcome, ErrorObject> {
    let Ask { topic, what } = ask;
    match what {
        What::Subscribe => {
            topics::subscribe(core, session, topic.clone()).await?;
            let (core, session) = (core.clone(), session.clone());
            Ok(Outcome {
                then: Some(Box::new(move || {
                    topics::hand_over(&core, &session, &topic);
                })),
                ..nothing()?
            })
        }
        What::Unsubscribe => {
            core.topics.unsubscribe(session, &topic);
            nothing()
        }
        What::Publish(data) => {
            if data.len() > MAX_PUBLISH_BYTES {
                return Err(too_large("publishBytes", MAX_PUBLISH_BYTES));
            }
            session
                .site
                .publishes
                .take(core.platform.uptime())
                .map_err(|wait| exceeded("publishesPerSecond", wait))?;
            let node = core.node.handle(core).await?;
            let published = node
                .publish(topic, data, Some(session.id))
                .await
                .map_err(|e| from_node(&e))?;
            done(&Published {
                message_id: published.id,
                recipients: u32::try_from(published.recipients).unwrap_or(u32::MAX),
            })
        }
        What::Peers => {
            let node = core.node.handle(core).await?;
            let peers = node.topic_peers(topic).await.map_err(|e| from_node(&e))?;
            done(&TopicPeers {
                peers: peers.iter().map(ToString::to_string).collect(),
            })
        }
    }
}
