use std::{cell::Cell, future::Future};

use futures::{FutureExt, executor::block_on};

use super::*;

/// The node's end.
#[derive(Clone, Default)]
struct Node {
    got: Rc<RefCell<Vec<StreamMessage>>>,
    closed: Rc<Cell<bool>>,
}

impl Port for Node {
    fn send(&self, message: StreamMessage) {
        assert!(!self.closed.get(), "{message:?} on a closed port");
        self.got.borrow_mut().push(message);
    }

    fn close(&self) {
        assert!(!self.closed.replace(true), "closed twice");
    }
}

impl Node {
    fn take(&self) -> Vec<StreamMessage> {
        self.got.take()
    }
}

fn open(window: u32) -> (Rc<Channel>, Node) {
    let node = Node::default();
    let channel = Channel::new(node.clone(), window);
    assert_eq!(
        node.take(),
        [StreamMessage::Credit {
            bytes: window.into()
        }]
    );
    (channel, node)
}

fn data(bytes: &[u8]) -> StreamMessage {
    StreamMessage::Data {
        bytes: Bytes::from(bytes.to_vec()),
    }
}

fn reset(reason: &str) -> StreamMessage {
    StreamMessage::Reset {
        reason: reason.to_owned(),
    }
}

/// What one read gives, if it gives anything now.
fn read(channel: &Channel, most: usize) -> Option<io::Result<Vec<u8>>> {
    let mut into = vec![0; most];
    let count = poll_fn(|cx| channel.poll_read(cx, &mut into)).now_or_never()?;
    Some(count.map(|count| into[..count].to_vec()))
}

fn write(channel: &Channel, bytes: &[u8]) -> Option<io::Result<usize>> {
    poll_fn(|cx| channel.poll_write(cx, bytes)).now_or_never()
}

#[test]
fn reads_in_order_and_gives_credit_back_for_what_was_read() {
    let (channel, node) = open(400);
    assert!(read(&channel, 10).is_none());
    channel.receive(data(&[1; 300]));
    channel.receive(data(&[2; 100]));
    assert_eq!(node.take(), [], "what nobody reads stays in the window");
    assert_eq!(read(&channel, 50).unwrap().unwrap(), [1; 50]);
    assert_eq!(node.take(), []);
    assert_eq!(read(&channel, 999).unwrap().unwrap(), [1; 250]);
    assert_eq!(node.take(), [StreamMessage::Credit { bytes: 300 }]);
    channel.receive(StreamMessage::CloseWrite);
    assert_eq!(read(&channel, 999).unwrap().unwrap(), [2; 100]);
    assert_eq!(node.take(), [], "who sends no more needs no room");
    assert_eq!(read(&channel, 9).unwrap().unwrap(), []);
}

#[test]
fn a_node_that_sends_more_than_it_may_has_the_stream_reset() {
    let (channel, node) = open(10);
    channel.receive(data(&[0; 11]));
    assert_eq!(node.take(), [reset(RESET_PROTOCOL)]);
    assert_eq!(
        read(&channel, 1).unwrap().unwrap_err().kind(),
        io::ErrorKind::ConnectionReset
    );
    let (channel, node) = open(10);
    channel.receive(StreamMessage::CloseWrite);
    channel.receive(data(&[0; 1]));
    assert_eq!(node.take(), [reset(RESET_PROTOCOL)]);
}

#[test]
fn writes_wait_for_credit_and_are_split() {
    let (channel, node) = open(1);
    assert!(write(&channel, &[7; 3]).is_none());
    channel.receive(StreamMessage::Credit { bytes: 2 });
    assert_eq!(write(&channel, &[7; 3]).unwrap().unwrap(), 2);
    assert_eq!(node.take(), [data(&[7; 2])]);
    assert!(write(&channel, &[7]).is_none());
    channel.receive(StreamMessage::Credit { bytes: u64::MAX });
    let large = vec![0; MAX_STREAM_CHUNK + 1];
    assert_eq!(write(&channel, &large).unwrap().unwrap(), MAX_STREAM_CHUNK);
    assert_eq!(write(&channel, &[]).unwrap().unwrap(), 0);
}

/// Polls both until the first is done; `then` is called when it waits.
fn wakes<F: Future>(waits: F, then: impl FnOnce()) -> F::Output {
    let mut then = Some(then);
    block_on(async {
        let mut waits = Box::pin(waits);
        let first = poll_fn(|cx| Poll::Ready(waits.as_mut().poll(cx))).await;
        assert!(first.is_pending());
        then.take().unwrap()();
        waits.await
    })
}

#[test]
fn whoever_waits_is_woken_by_what_it_waits_for() {
    let (channel, _node) = open(10);
    let mut into = [0; 4];
    let reading = poll_fn(|cx| channel.poll_read(cx, &mut into));
    assert_eq!(
        wakes(reading, || channel.receive(data(&[1, 2]))).unwrap(),
        2
    );
    let writing = poll_fn(|cx| channel.poll_write(cx, &[1]));
    assert_eq!(
        wakes(writing, || channel
            .receive(StreamMessage::Credit { bytes: 1 }))
        .unwrap(),
        1
    );
    let writing = poll_fn(|cx| channel.poll_write(cx, &[1]));
    assert!(wakes(writing, || channel.receive(StreamMessage::StopReading)).is_err());
    let reading = poll_fn(|cx| channel.poll_read(cx, &mut into));
    assert!(wakes(reading, || channel.receive(reset("gone"))).is_err());
    let (channel, _node) = open(10);
    assert_eq!(
        wakes(channel.closed(), || channel.receive(StreamMessage::Closed)),
        Some("the stream was closed".to_owned())
    );
}

#[test]
fn each_direction_ends_by_itself() {
    let (channel, node) = open(10);
    channel.receive(StreamMessage::Credit { bytes: 10 });
    channel.close_write().unwrap();
    channel.close_write().unwrap();
    assert_eq!(node.take(), [StreamMessage::CloseWrite]);
    assert_eq!(
        write(&channel, &[1]).unwrap().unwrap_err().kind(),
        io::ErrorKind::BrokenPipe
    );
    channel.receive(data(&[1]));
    channel.receive(StreamMessage::CloseWrite);
    channel.receive(StreamMessage::Closed);
    assert!(node.closed.get());
    assert_eq!(
        read(&channel, 9).unwrap().unwrap(),
        [1],
        "what came before the end can be read"
    );
    assert_eq!(read(&channel, 9).unwrap().unwrap(), []);
    assert_eq!(channel.closed().now_or_never(), Some(None));
}

#[test]
fn an_end_that_never_came_is_no_end() {
    let (channel, _node) = open(10);
    channel.receive(data(&[1]));
    channel.receive(StreamMessage::Closed);
    assert_eq!(
        read(&channel, 9).unwrap().unwrap_err().kind(),
        io::ErrorKind::ConnectionReset
    );
}

#[test]
fn a_reset_loses_what_is_under_way_and_says_why() {
    let (channel, _node) = open(10);
    channel.receive(data(&[1]));
    channel.receive(reset("revoked"));
    for error in [
        read(&channel, 1).unwrap().unwrap_err(),
        write(&channel, &[1]).unwrap().unwrap_err(),
    ] {
        assert!(error.to_string().ends_with(": revoked"), "{error}");
    }
    assert!(channel.close_write().is_err());
    assert!(channel.closed().now_or_never().is_none());
    channel.receive(StreamMessage::Closed);
    assert_eq!(
        channel.closed().now_or_never(),
        Some(Some("revoked".to_owned()))
    );
}

#[test]
fn a_stream_that_is_dropped_is_reset_and_its_port_closed() {
    let (channel, node) = open(10);
    channel.forget();
    assert_eq!(node.take(), [reset("nobody has the stream any more")]);
    assert!(node.closed.get());
    // What comes late changes nothing.
    channel.receive(data(&[1]));
    channel.receive(StreamMessage::Closed);

    let (channel, node) = open(10);
    channel.reset("done");
    assert!(!node.closed.get());
    channel.forget();
    assert_eq!(node.take(), [reset("done")]);
    assert!(node.closed.get());
}

#[test]
fn a_stream_that_is_at_its_end_is_left_to_finish() {
    let (channel, node) = open(10);
    channel.receive(StreamMessage::Credit { bytes: 10 });
    write(&channel, &[1]).unwrap().unwrap();
    channel.close_write().unwrap();
    channel.receive(StreamMessage::CloseWrite);
    assert_eq!(read(&channel, 1).unwrap().unwrap(), []);
    channel.forget();
    // The node may still have data of this side to send.
    assert!(!node.closed.get());
    assert_eq!(node.take(), [data(&[1]), StreamMessage::CloseWrite]);
    channel.receive(StreamMessage::Closed);
    assert!(node.closed.get());
}
