//! Tells the node whether somebody who may reach private networks takes streams from anybody. While it is so, a peer that
//! dials this node by `/webrtc` may be met at private addresses, and is told this machine's.

use std::rc::Rc;

use futures::{FutureExt, select};
use mooring_api::Descriptor;

use crate::host::Core;

/// As long as the host runs.
pub(crate) async fn observe(core: Rc<Core>) {
    loop {
        let (grants, node, handlers) = (
            core.grants_changed.seen(),
            core.node.seen(),
            core.handlers.changed.seen(),
        );
        if let Some(running) = core.node.running() {
            // Again and again the same is harmless, and a node that was started anew knows nothing of it. One that
            // ends meanwhile is seen to change.
            let _ = running.set_private_streams(taken(&core)).await;
        }
        select! {
            () = core.grants_changed.changed(grants).fuse() => {}
            () = core.node.changed(node).fuse() => {}
            () = core.handlers.changed.changed(handlers).fuse() => {}
        }
    }
}

pub(crate) fn taken(core: &Core) -> bool {
    core.handlers.documents().into_iter().any(|document| {
        core.sessions.get(document).is_some_and(|session| {
            session.held(core).contains(&Descriptor::Dial {
                private_network: true,
            })
        })
    })
}
