//! Topics among nodes on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::collections::BTreeSet;

use common::*;
use futures::{StreamExt, future::join_all};
use mooring_node::{Error, Received, TopicMessages, limits::PUBLISH_BYTES};

const NEWS: &str = "news";

/// Until a node knows that another is in a topic.
async fn sees(node: &Node, other: &Node, topic: &str) {
    eventually("in the topic", || async {
        let peers = node.handle.topic_peers(topic).await.unwrap();
        peers.contains(&other.peer())
    })
    .await;
}

async fn next(messages: &mut TopicMessages) -> Received {
    soon("a message", messages.next()).await.expect("a message")
}

/// Two clients that only know a server, all of them in the topic.
async fn three() -> ([Node; 3], [TopicMessages; 3]) {
    let (a, hub, b) = (Node::client(), Node::server(TCP), Node::client());
    let messages = [
        a.handle.subscribe(NEWS).await.unwrap(),
        hub.handle.subscribe(NEWS).await.unwrap(),
        b.handle.subscribe(NEWS).await.unwrap(),
    ];
    for client in [&a, &b] {
        client.connect(&hub).await;
        sees(client, &hub, NEWS).await;
        sees(&hub, client, NEWS).await;
    }
    ([a, hub, b], messages)
}

#[tokio::test]
async fn a_message_reaches_everybody_in_the_topic_once_and_says_who_published_it() {
    let ([a, hub, b], [mut of_a, mut of_hub, mut of_b]) = three().await;
    let published = a
        .handle
        .publish(NEWS, b"hello".to_vec(), Some(7))
        .await
        .unwrap();
    // The other one is not connected to it.
    assert_eq!(published.recipients, 1);
    for messages in [&mut of_hub, &mut of_b] {
        let Received { message, dropped } = next(messages).await;
        assert_eq!((message.from, dropped), (a.peer(), 0));
        assert_eq!((&*message.topic, &*message.data), (NEWS, &b"hello"[..]));
        assert_eq!((&message.id, message.publisher), (&published.id, None));
        // As the specification says it, for which other implementations look.
        let mut id = a.peer().to_bytes();
        id.extend(message.sequence_number.unwrap().to_be_bytes());
        let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(published.id, hex);
    }
    // Its own comes with the word for whom it was published, and does not come back from others: the next is theirs.
    let own = next(&mut of_a).await.message;
    assert_eq!(
        (own.publisher, own.from, &*own.id),
        (Some(7), a.peer(), &*published.id)
    );
    b.handle.publish(NEWS, b"hi".to_vec(), None).await.unwrap();
    for messages in [&mut of_a, &mut of_hub] {
        assert_eq!(&*next(messages).await.message.data, b"hi");
    }
    // Whoever is in no topic can publish in it.
    let outside = Node::client();
    outside.connect(&hub).await;
    sees(&outside, &hub, NEWS).await;
    outside
        .handle
        .publish(NEWS, b"from outside".to_vec(), None)
        .await
        .unwrap();
    assert_eq!(&*next(&mut of_a).await.message.data, b"from outside");
}

/// What a site may have published in a second arrives whole, though it comes at once.
#[tokio::test]
async fn a_burst_arrives_whole_and_in_order() {
    const COUNT: usize = 250;
    let ([a, _hub, _b], [_of_a, mut of_hub, mut of_b]) = three().await;
    let publish = (0..COUNT).map(|n| {
        let data = n.to_string().into_bytes();
        a.handle.publish(NEWS, data, None)
    });
    let all = async {
        for published in join_all(publish).await {
            assert_eq!(published.unwrap().recipients, 1);
        }
    };
    let read = async |messages: &mut TopicMessages| {
        for n in 0..COUNT {
            let Received { message, dropped } = next(messages).await;
            assert_eq!((&*message.data, dropped), (n.to_string().as_bytes(), 0));
        }
    };
    futures::join!(all, read(&mut of_hub), read(&mut of_b));
}

#[tokio::test]
async fn several_readers_of_one_node_hear_each_other_also_when_nobody_else_is_there() {
    let node = Node::client();
    let mut one = node.handle.subscribe(NEWS).await.unwrap();
    let mut two = node.handle.subscribe(NEWS).await.unwrap();
    let mut elsewhere = node.handle.subscribe("olds").await.unwrap();
    let mut ids = BTreeSet::new();
    for n in 0..3_u8 {
        let published = node.handle.publish(NEWS, vec![n], Some(1)).await.unwrap();
        assert_eq!(published.recipients, 0);
        assert!(ids.insert(published.id.clone()));
        for reader in [&mut one, &mut two] {
            let message = next(reader).await.message;
            assert_eq!((&*message.data, message.publisher), (&[n][..], Some(1)));
            assert_eq!(message.id, published.id);
        }
    }
    // What nobody reads is published all the same.
    let published = node.handle.publish("weather", vec![1], None).await.unwrap();
    assert!(ids.insert(published.id));
    drop(one);
    node.handle.publish("olds", vec![9], None).await.unwrap();
    assert_eq!(next(&mut elsewhere).await.message.data, [9]);
    node.handle.shutdown().await;
    assert!(soon("the end", two.next()).await.is_none());
    assert_eq!(
        node.handle.subscribe(NEWS).await.unwrap_err(),
        Error::Stopped
    );
}

#[tokio::test]
async fn a_reader_that_stands_still_loses_the_oldest_and_nobody_waits_for_it() {
    const COUNT: u32 = 400;
    let ([a, hub, b], [of_a, mut of_hub, mut of_b]) = three().await;
    drop(of_a);
    for n in 0..COUNT {
        let data = n.to_be_bytes().to_vec();
        a.handle.publish(NEWS, data, None).await.unwrap();
        // The hub reads, and the other client does not.
        let message = next(&mut of_hub).await.message;
        assert_eq!(&*message.data, n.to_be_bytes());
    }
    // Its node is as quick as ever, and has got the last one when it has got what was published after it.
    let mut marked = b.handle.subscribe("mark").await.unwrap();
    sees(&hub, &b, "mark").await;
    hub.handle.publish("mark", vec![1], None).await.unwrap();
    next(&mut marked).await;
    let first = next(&mut of_b).await;
    let mut numbers = vec![u32::from_be_bytes(
        (&*first.message.data).try_into().unwrap(),
    )];
    assert!(first.dropped > 0 && first.dropped == u64::from(numbers[0]));
    while numbers.last() != Some(&(COUNT - 1)) {
        let Received { message, dropped } = next(&mut of_b).await;
        assert_eq!(dropped, 0);
        numbers.push(u32::from_be_bytes((&*message.data).try_into().unwrap()));
    }
    assert!(numbers.is_sorted());
    assert_eq!(
        u64::try_from(numbers.len()).unwrap() + first.dropped,
        u64::from(COUNT)
    );
}

/// One that does not fit into what peers read at once would end the stream to them, and soon all of gossipsub.
#[tokio::test]
async fn the_largest_message_arrives_and_a_larger_one_goes_nowhere() {
    let (a, b) = (Node::server(TCP), Node::client());
    let topic = "t".repeat(512);
    let mut messages = b.handle.subscribe(&*topic).await.unwrap();
    b.connect(&a).await;
    sees(&a, &b, &topic).await;
    for round in 0..6_u8 {
        let largest = vec![round; PUBLISH_BYTES];
        let published = a.handle.publish(&*topic, largest.clone(), None).await;
        assert_eq!(published.unwrap().recipients, 1);
        assert!(next(&mut messages).await.message.data == largest);
        let larger = vec![round; PUBLISH_BYTES + 1];
        let refused = a.handle.publish(&*topic, larger, None).await;
        assert!(matches!(
            refused,
            Err(Error::TooLarge {
                most: PUBLISH_BYTES,
                ..
            })
        ));
    }
    for bad in ["", &*"t".repeat(513)] {
        for error in [
            a.handle.publish(bad, vec![1], None).await.unwrap_err(),
            a.handle.subscribe(bad).await.unwrap_err(),
            a.handle.topic_peers(bad).await.unwrap_err(),
        ] {
            assert!(matches!(error, Error::Refused { .. }), "{error}");
        }
    }
}

#[tokio::test]
async fn a_node_leaves_a_topic_some_time_after_its_last_reader() {
    let (a, b) = (Node::server(TCP), Node::client());
    let first = b.handle.subscribe(NEWS).await.unwrap();
    let mut second = b.handle.subscribe(NEWS).await.unwrap();
    b.connect(&a).await;
    sees(&a, &b, NEWS).await;
    drop(first);
    a.handle.publish(NEWS, vec![1], None).await.unwrap();
    assert_eq!(next(&mut second).await.message.data, [1]);
    drop(second);
    // It stays for who comes back soon, who gets nothing of what came meanwhile.
    a.handle.publish(NEWS, vec![2], None).await.unwrap();
    let mut again = b.handle.subscribe(NEWS).await.unwrap();
    let mut other = b.handle.subscribe("other").await.unwrap();
    sees(&a, &b, "other").await;
    a.handle.publish("other", vec![3], None).await.unwrap();
    assert_eq!(next(&mut other).await.message.data, [3]);
    a.handle.publish(NEWS, vec![4], None).await.unwrap();
    let heard = next(&mut again).await.message.data.clone();
    // The second may have arrived before or after it came back.
    assert!(
        [[2], [4]].iter().any(|data| data[..] == *heard),
        "{heard:?}"
    );
    drop(again);
    eventually("left", || async {
        a.handle.topic_peers(NEWS).await.unwrap().is_empty()
    })
    .await;
    assert_eq!(a.handle.topic_peers("other").await.unwrap(), [b.peer()]);
    let published = a.handle.publish(NEWS, vec![5], None).await.unwrap();
    assert_eq!(published.recipients, 0);
}

#[tokio::test]
async fn topics_and_their_readers_are_bounded() {
    let node = Node::client();
    let mut topics = Vec::new();
    let full = loop {
        match node
            .handle
            .subscribe(format!("topic {}", topics.len()))
            .await
        {
            Ok(messages) => topics.push(messages),
            Err(error) => break error,
        }
    };
    assert!(
        matches!(full, Error::LimitExceeded { what: "topics", .. }),
        "{full}"
    );
    assert_eq!(topics.len(), 256);
    // One that nobody reads any more makes room at once; those that are read can be read by more.
    drop(topics.pop());
    let _one_more = node.handle.subscribe("one more").await.unwrap();
    assert!(node.handle.subscribe("and another").await.is_err());
    let mut readers = Vec::new();
    let full = loop {
        match node.handle.subscribe("topic 0").await {
            Ok(messages) => readers.push(messages),
            Err(error) => break error,
        }
    };
    assert!(
        matches!(
            full,
            Error::LimitExceeded {
                what: "topic readers",
                ..
            }
        ),
        "{full}"
    );
    assert_eq!(readers.len(), 255);
}
