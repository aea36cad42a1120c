//! From a message to exactly one answer.
//!
//! The order of judgement is the contract's: envelope, method, grant by name, parameters, caveats, addresses, limits,
//! then the work. All but the work happens at once; the work is a task with a time limit that a cancellation or the
//! end of the document ends.

use std::{rc::Rc, time::Duration};

use futures::{FutureExt, channel::oneshot, select_biased};
use mooring_api::{ErrorCode, ErrorObject, Method, RequestId, results::Granted};

use super::{
    Ended, InFlight, Session, envelope,
    envelope::Message,
    plan::{Plan, lacking, plan},
    work::{self, Outcome},
};
use crate::{
    Value, ValueError,
    error::{error, timeout},
    host::Core,
    limits::MAX_IN_FLIGHT_PER_ORIGIN,
    quota::{Slot, exceeded},
    to_value,
};

/// Takes a JSON-RPC message of the page.
pub(super) fn receive(core: &Rc<Core>, session: &Rc<Session>, message: Value) {
    match envelope::read(message) {
        Message::Dropped => {}
        Message::Malformed(id, error) => answer(session, id, Err(error)),
        Message::Cancel(id) => {
            // Taken out first: sending wakes the task.
            let cancel = session.in_flight.borrow_mut().remove(&id.key());
            if let Some(request) = cancel {
                // It may have ended by itself just now, and is answered then.
                let _ = request.end.send(Ended::Cancelled);
            }
        }
        Message::Request { id, method, params } => request(core, session, id, &method, params),
    }
}

fn request(
    core: &Rc<Core>,
    session: &Rc<Session>,
    id: RequestId,
    method: &str,
    params: Option<Value>,
) {
    let key = id.key();
    if session.in_flight.borrow().contains_key(&key) {
        // Each of the two gets its answer; that they cannot be told apart is the page's own doing.
        let error = error(
            ErrorCode::InvalidRequest,
            "A request with this id is in flight.",
        );
        return answer(session, Some(id), Err(error));
    }
    let Some(method) = Method::from_name(method) else {
        let error = error(
            ErrorCode::MethodNotFound,
            "There is no such method in this version.",
        );
        return answer(session, Some(id), Err(error));
    };
    match judge(core, session, method, params) {
        Err(error) => answer(session, Some(id), Err(error)),
        Ok(Judged::Now(result)) => answer(session, Some(id), result),
        Ok(Judged::Later(plan, slot)) => start(core, session, id, key, plan, slot),
    }
}

enum Judged {
    /// Answered without a task.
    Now(Result<Outcome, ErrorObject>),
    /// To be done.
    Later(Plan, Slot),
}

fn judge(
    core: &Rc<Core>,
    session: &Rc<Session>,
    method: Method,
    params: Option<Value>,
) -> Result<Judged, ErrorObject> {
    let plan = plan(core, session, method, params)?;
    let site = &session.site;
    let now = core.platform.uptime();
    let quick = match method {
        Method::NodeHello => Some(to_value(&core.hello())),
        Method::NodeStatus => Some(to_value(&core.status())),
        Method::PermissionsQuery => Some(to_value(&Granted {
            granted: session.held(core).to_vec(),
        })),
        _ => None,
    };
    if let Some(result) = quick {
        // A bucket of their own: a flood of anything else does not slow them.
        site.quick
            .take(now)
            .map_err(|wait| exceeded("quickRequestsPerSecond", wait))?;
        return Ok(Judged::Now(result.map(Outcome::from).map_err(internal)));
    }
    // The slot first: a request that finds none takes no token either.
    let slot = Slot::take(&site.in_flight, MAX_IN_FLIGHT_PER_ORIGIN)
        .ok_or_else(|| exceeded("requestsInFlight", RETRY_IN_FLIGHT))?;
    site.requests
        .take(now)
        .map_err(|wait| exceeded("requestsPerSecond", wait))?;
    Ok(Judged::Later(plan, slot))
}

/// When requests in flight will have ended cannot be known; most take less than this.
const RETRY_IN_FLIGHT: Duration = Duration::from_millis(100);

#[allow(clippy::needless_pass_by_value)] // as `map_err` wants it
pub(super) fn internal(fault: ValueError) -> ErrorObject {
    tracing::error!(%fault, "an answer could not be made");
    error(ErrorCode::Internal, "The answer could not be made.")
}

fn start(
    core: &Rc<Core>,
    session: &Rc<Session>,
    id: RequestId,
    key: String,
    plan: Plan,
    slot: Slot,
) {
    let (end, ended) = oneshot::channel();
    let Plan {
        work,
        needs,
        timeout: limit,
    } = plan;
    session
        .in_flight
        .borrow_mut()
        .insert(key.clone(), InFlight { end, needs });
    let (core, session) = (core.clone(), session.clone());
    core.clone().spawn(async move {
        let time_limit = core.platform.sleep(limit);
        let result = select_biased! {
            // First, so that nothing is done any more for a request that has been ended. It is out of the table,
            // where by now another one may be under its id.
            ended = ended.fuse() => match ended {
                Ok(Ended::Cancelled) => Err(error(ErrorCode::Aborted, "The request was cancelled.")),
                Ok(Ended::Revoked) => Err(lacking("taken back meanwhile")),
                // The document is gone: nobody is there to be answered.
                Err(_) => return drop(slot),
            },
            result = work::run(&core, &session, work, limit).fuse() => {
                session.in_flight.borrow_mut().remove(&key);
                result
            }
            () = time_limit.fuse() => {
                session.in_flight.borrow_mut().remove(&key);
                Err(timeout())
            }
        };
        drop(slot);
        answer(&session, Some(id), result);
    });
}

/// Posts the answer, and what begins with it.
fn answer(session: &Rc<Session>, id: Option<RequestId>, result: Result<Outcome, ErrorObject>) {
    let (name, value, stream, then) = match result {
        Ok(outcome) => ("result", outcome.value, outcome.stream, outcome.then),
        Err(error) => match to_value(&error) {
            Ok(value) => ("error", value, None, None),
            Err(fault) => return tracing::error!(%fault, "an error could not be made"),
        },
    };
    let id = match id {
        None => Value::Null,
        Some(RequestId::Number(id)) => Value::Number(id),
        Some(RequestId::Text(id)) => Value::Text(id),
    };
    // By hand, which copies nothing; a test compares it with `mooring_api::jsonrpc::Answer`.
    let m = Value::object([("jsonrpc", Value::text("2.0")), ("id", id), (name, value)]);
    session.post_rpc(m, stream.as_deref());
    if let Some(then) = then {
        then();
    }
}
