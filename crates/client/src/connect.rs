//! Is anybody there?

use std::{rc::Rc, time::Duration};

use futures::{
    FutureExt, StreamExt,
    channel::mpsc,
    future::{Either, pending, select},
    stream::FuturesUnordered,
};
use futures_timer::Delay;
use mooring_api::{
    ErrorCode, Method,
    event::NODE_AVAILABLE,
    params::Empty,
    results::{Hello, NodeState, Status},
};

use crate::{
    Code, Error, Node,
    limits::{CONNECT_TIMEOUT, HELLO_INTERVAL},
    rpc::Rpc,
    web::{value, window},
};

/// Finds the visitor's node. Asks the user nothing: [`Permissions::request`](crate::Permissions::request) does.
///
/// One in a document is enough, and clones of it are the same: what another one subscribes to or handles is the same document's for the
/// node.
///
/// # Errors
/// [`Code::NotInstalled`] when nobody answers for 3 s, [`Code::NotAllowed`] where no extension serves this document at all (a frame, a
/// worker, an origin that is neither `https:` nor on this machine, or no web page), and [`ErrorCode::NodeNotRunning`] when the extension is
/// there and its node cannot run.
pub async fn connect() -> Result<Node, Error> {
    connect_within(CONNECT_TIMEOUT).await
}

/// The same, with another time to look for the extension.
///
/// # Errors
/// As [`connect`].
pub async fn connect_within(limit: Duration) -> Result<Node, Error> {
    window::check_served()?;
    window::activated().await?;
    let rpc = Rpc::new()?;
    let hello = detect(&rpc, limit).await?;
    let status: Status = rpc.call(Method::NodeStatus, &Empty {}, None).await?;
    if status.state == NodeState::Failed {
        return Err(
            Error::node(ErrorCode::NodeNotRunning, "The node cannot run")
                .with_detail(status.reason),
        );
    }
    Ok(Node::new(rpc, hello))
}

/// Hears the announcement, or asks until there is an answer.
async fn detect(rpc: &Rc<Rpc>, limit: Duration) -> Result<Hello, Error> {
    let (announce, mut announced) = mpsc::channel(1);
    rpc.listen(NODE_AVAILABLE, move |hello, _| {
        if let Ok(hello) = value::read(hello) {
            // One is enough.
            let _ = announce.clone().try_send(hello);
        }
    });
    let mut problem = Error::new(Code::NotInstalled, "No extension answers");
    let mut questions = FuturesUnordered::new();
    // There is always one that is open, so that answers can be waited for.
    questions.push(pending().boxed_local());
    let mut over = Delay::new(limit);
    loop {
        questions.push(
            rpc.call::<Hello>(Method::NodeHello, &Empty {}, None)
                .boxed_local(),
        );
        let mut pause = Delay::new(HELLO_INTERVAL);
        loop {
            let heard = select(announced.next(), questions.next());
            match select(heard, select(&mut pause, &mut over)).await {
                Either::Left((
                    Either::Left((Some(hello), _)) | Either::Right((Some(Ok(hello)), _)),
                    _,
                )) => return Ok(hello),
                // It may be on its way up.
                Either::Left((Either::Right((Some(Err(error)), _)), _))
                    if error.is(ErrorCode::NodeNotRunning) =>
                {
                    problem = error
                }
                Either::Left(_) => {}
                Either::Right((Either::Left(_), _)) => break,
                Either::Right((Either::Right(_), _)) => return Err(problem),
            }
        }
    }
}
