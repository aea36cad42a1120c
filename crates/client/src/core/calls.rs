//! The requests that are under way.

use std::collections::HashMap;

use futures::channel::oneshot;

use crate::limits::MAX_PENDING;

/// Who waits for which answer. `T` is an answer; one that nobody waits for any more is dropped.
#[derive(Debug)]
pub struct Calls<T> {
    /// Other clients in this document have their own.
    prefix: String,
    next: u64,
    pending: HashMap<String, oneshot::Sender<T>>,
}

/// [`MAX_PENDING`] requests are unanswered.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl<T> Calls<T> {
    /// A table whose ids begin with this.
    pub fn new(prefix: String) -> Self {
        Calls {
            prefix,
            next: 0,
            pending: HashMap::new(),
        }
    }

    /// An id for a new request, and where its answer comes out.
    pub fn begin(&mut self) -> Result<(String, oneshot::Receiver<T>), Full> {
        if self.pending.len() >= MAX_PENDING {
            return Err(Full);
        }
        self.next = self.next.wrapping_add(1);
        let id = format!("{}{}", self.prefix, self.next);
        let (sender, receiver) = oneshot::channel();
        self.pending.insert(id.clone(), sender);
        Ok((id, receiver))
    }

    /// Whether the id is one that this table gave, once.
    pub fn is_own(&self, id: &str) -> bool {
        id.starts_with(&self.prefix)
    }

    /// Hands an answer to whoever waits for it.
    pub fn answer(&mut self, id: &str, answer: T) {
        if let Some(sender) = self.pending.remove(id) {
            // It may have been given up in this very moment; the answer is dropped then too.
            let _ = sender.send(answer);
        }
    }

    /// Nobody waits any more; true when there was no answer yet, and the node is to hear of it.
    pub fn end(&mut self, id: &str) -> bool {
        self.pending.remove(id).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use futures::FutureExt;

    use super::*;

    #[test]
    fn an_answer_goes_to_whoever_asked() {
        let mut calls = Calls::new("a-".to_owned());
        let (first, mut one) = calls.begin().unwrap();
        let (second, mut two) = calls.begin().unwrap();
        assert_ne!(first, second);
        assert!(calls.is_own(&first) && !calls.is_own("b-1"));
        calls.answer(&second, 2);
        calls.answer("a-99", 99);
        assert_eq!((&mut one).now_or_never(), None);
        assert_eq!((&mut two).now_or_never(), Some(Ok(2)));
        assert!(!calls.end(&second), "it is answered: nothing to cancel");
        assert!(calls.end(&first));
        assert!(!calls.end(&first));
    }

    #[test]
    fn an_answer_that_nobody_waits_for_is_dropped() {
        let mut calls = Calls::new(String::new());
        let answer = Rc::new(());
        let (id, receiver) = calls.begin().unwrap();
        drop(receiver);
        calls.answer(&id, Rc::clone(&answer));
        calls.answer(&id, Rc::clone(&answer));
        assert_eq!(Rc::strong_count(&answer), 1);
    }

    #[test]
    fn it_is_bounded_and_frees_what_ends() {
        let mut calls = Calls::<()>::new(String::new());
        let open: Vec<_> = (0..MAX_PENDING).map(|_| calls.begin().unwrap()).collect();
        assert_eq!(calls.begin().err(), Some(Full));
        assert!(calls.end(&open[0].0));
        assert!(calls.begin().is_ok());
    }
}
