//! JSON-RPC in the page API's envelope: requests, their answers, their ends, and what the node says unasked.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::{Rc, Weak},
    time::Duration,
};

use futures::future::{Either, select};
use futures_timer::Delay;
use js_sys::{Math, Object};
use mooring_api::{
    ErrorCode, Method,
    limits::{DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS},
    method::CANCEL,
};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::JsValue;

use crate::{
    Error,
    core::calls::Calls,
    limits::ANSWER_GRACE,
    web::{
        port::{MessagePort, Unclaimed},
        value,
        window::{self, member, set},
    },
};

/// What a request gave.
pub struct Reply {
    pub result: JsValue,
    pub port: Option<Unclaimed>,
}

type Outcome = Result<Reply, Error>;

/// Hears a notification, and the port that came with it.
type Listener = Rc<dyn Fn(JsValue, Option<MessagePort>)>;

/// The window's conversation with the node.
pub struct Rpc {
    calls: RefCell<Calls<Outcome>>,
    listeners: RefCell<HashMap<&'static str, Listener>>,
    not_running: RefCell<Option<Rc<dyn Fn()>>>,
    messages: Cell<Option<window::Messages>>,
}

impl Rpc {
    pub fn new() -> Result<Rc<Rpc>, Error> {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // it is below 1
        let unique = (Math::random() * f64::from(u32::MAX)) as u32;
        let rpc = Rc::new(Rpc {
            calls: RefCell::new(Calls::new(format!("{unique:x}-"))),
            listeners: RefCell::default(),
            not_running: RefCell::default(),
            messages: Cell::default(),
        });
        let hearing = Rc::downgrade(&rpc);
        rpc.messages.set(Some(window::listen(move |message, port| {
            if let Some(rpc) = Weak::upgrade(&hearing) {
                rpc.receive(&message, port);
            }
        })?));
        Ok(rpc)
    }

    /// Calls the listener with each notification of that name, instead of the one before.
    pub fn listen(
        &self,
        name: &'static str,
        listener: impl Fn(JsValue, Option<MessagePort>) + 'static,
    ) {
        self.listeners.borrow_mut().insert(name, Rc::new(listener));
    }

    /// Is called when a request meets a node that is not running.
    pub fn on_not_running(&self, call: impl Fn() + 'static) {
        *self.not_running.borrow_mut() = Some(Rc::new(call));
    }

    /// The result of a request.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        params: &impl Serialize,
        timeout: Option<Duration>,
    ) -> Result<T, Error> {
        let reply = self.request(method, params, timeout).await?;
        value::read(reply.result)
    }

    /// The result of a request, with the port that came with it. Dropping the future ends the work in the node.
    pub async fn request(
        &self,
        method: Method,
        params: &impl Serialize,
        timeout: Option<Duration>,
    ) -> Outcome {
        let params = value::params(params)?;
        if let Some(timeout) = timeout {
            set(
                &params,
                "timeoutMs",
                &JsValue::from_f64(timeout.as_secs_f64() * 1_000.0),
            );
        }
        let begun = self.calls.borrow_mut().begin();
        let (id, answer) = begun.map_err(|_| {
            Error::node(ErrorCode::LimitExceeded, "Too many requests are unanswered")
                .with_retry_after(Some(ANSWER_GRACE))
        })?;
        let under_way = UnderWay { rpc: self, id: &id };
        let message = Object::new();
        set(&message, "id", &id.as_str().into());
        set(&message, "method", &method.name().into());
        set(&message, "params", &params);
        window::post(&message)?;
        let limit = timeout.unwrap_or(Duration::from_millis(match method {
            Method::PermissionsRequest => MAX_TIMEOUT_MS,
            _ => DEFAULT_TIMEOUT_MS,
        }));
        let outcome = match select(answer, Delay::new(limit.saturating_add(ANSWER_GRACE))).await {
            Either::Left((Ok(outcome), _)) => outcome,
            // The table goes with its owner, which is borrowed here.
            Either::Left((Err(_), _)) => {
                Err(Error::node(ErrorCode::Aborted, "The client was closed"))
            }
            Either::Right(_) => Err(Error::node(
                ErrorCode::Timeout,
                "Nobody answered the request",
            )),
        };
        drop(under_way);
        outcome
    }

    fn receive(&self, message: &JsValue, port: Option<MessagePort>) {
        if let Some(method) = member(message, "method").and_then(|method| method.as_string()) {
            let listener = self.listeners.borrow().get(method.as_str()).cloned();
            if let Some(listener) = listener {
                listener(member(message, "params").unwrap_or_default(), port);
            }
            return;
        }
        let Some(id) = member(message, "id").and_then(|id| id.as_string()) else {
            return;
        };
        if !self.calls.borrow().is_own(&id) {
            return;
        }
        let outcome = match member(message, "error") {
            Some(error) => Err(value::error(&error)),
            None => Ok(Reply {
                result: member(message, "result").unwrap_or_default(),
                port: port.map(Unclaimed::new),
            }),
        };
        let not_running = matches!(&outcome, Err(error) if error.is(ErrorCode::NodeNotRunning));
        self.calls.borrow_mut().answer(&id, outcome);
        if not_running {
            let call = self.not_running.borrow().clone();
            if let Some(call) = call {
                call();
            }
        }
    }
}

/// A request whose answer somebody waits for.
struct UnderWay<'a> {
    rpc: &'a Rpc,
    id: &'a str,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if self.rpc.calls.borrow_mut().end(self.id) {
            let params = Object::new();
            set(&params, "id", &self.id.into());
            let message = Object::new();
            set(&message, "method", &CANCEL.into());
            set(&message, "params", &params);
            // The node ends it by itself at its time limit.
            let _ = window::post(&message);
        }
    }
}
