//! What has arrived on a connection and has not been read, and how the connection ended.

use std::collections::VecDeque;

use crate::{
    Error,
    limits::{RECEIVE_BUFFER, RECEIVE_MESSAGES},
};

/// Codes of a good end: normal closure, going away, none given (RFC 6455, section 7.4.1).
const GOOD: [u16; 3] = [1000, 1001, 1005];

/// What reading gives now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// So many bytes.
    Bytes(usize),
    /// Nothing yet.
    Nothing,
    /// Everything that was sent has been read.
    End,
    /// What was read is all there is, and not all that was sent.
    Failed(Error),
}

/// The receiving half, and the end of both.
#[derive(Debug, Default)]
pub struct State {
    messages: VecDeque<Vec<u8>>,
    /// Bytes of the first message that have been read.
    read: usize,
    unread: usize,
    end: Option<End>,
}

#[derive(Clone, Debug)]
enum End {
    Good,
    Failed(Error),
}

impl State {
    /// A message has arrived. After an end it is not looked at any more; false when this one made it fail.
    pub fn on_message(&mut self, message: Vec<u8>) -> bool {
        if self.end.is_some() || message.is_empty() {
            return true;
        }
        let unread = self.unread.saturating_add(message.len());
        if unread > RECEIVE_BUFFER || self.messages.len() >= RECEIVE_MESSAGES {
            self.fail(Error::Overflow);
            return false;
        }
        self.unread = unread;
        self.messages.push_back(message);
        true
    }

    /// The connection is over. Only the first end counts.
    pub fn on_close(&mut self, code: u16, clean: bool) {
        if clean && GOOD.contains(&code) {
            self.end.get_or_insert(End::Good);
        } else {
            self.fail(Error::Closed(code));
        }
    }

    /// The connection is over, for a reason of this side.
    pub fn fail(&mut self, error: Error) {
        self.end.get_or_insert(End::Failed(error));
    }

    /// Has the connection ended? What has arrived can still be read.
    pub fn is_over(&self) -> bool {
        self.end.is_some()
    }

    /// Why nothing can be sent any more, if that is so.
    pub fn send_error(&self) -> Option<Error> {
        match &self.end {
            None => None,
            Some(End::Good) => Some(Error::Closed(1000)),
            Some(End::Failed(error)) => Some(error.clone()),
        }
    }

    /// How closing went, once the connection has ended.
    pub fn closed(&self) -> Option<Result<(), Error>> {
        match &self.end {
            None => None,
            Some(End::Good) => Some(Ok(())),
            Some(End::Failed(error)) => Some(Err(error.clone())),
        }
    }

    /// Takes what has arrived, up to the buffer's length; the end comes only behind all of it.
    pub fn read(&mut self, buffer: &mut [u8]) -> Read {
        let mut filled = 0_usize;
        while let Some(message) = self.messages.front() {
            let from = message.get(self.read..).unwrap_or_default();
            let to = buffer.get_mut(filled..).unwrap_or_default();
            let count = from.len().min(to.len());
            let (Some(from), Some(to)) = (from.get(..count), to.get_mut(..count)) else {
                break;
            };
            to.copy_from_slice(from);
            filled = filled.saturating_add(count);
            self.unread = self.unread.saturating_sub(count);
            self.read = self.read.saturating_add(count);
            if self.read < message.len() {
                return Read::Bytes(filled);
            }
            self.messages.pop_front();
            self.read = 0;
        }
        match &self.end {
            _ if filled > 0 || buffer.is_empty() => Read::Bytes(filled),
            None => Read::Nothing,
            Some(End::Good) => Read::End,
            Some(End::Failed(error)) => Read::Failed(error.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(state: &mut State, step: usize) -> (Vec<u8>, Read) {
        let mut bytes = Vec::new();
        let mut buffer = vec![0; step];
        loop {
            match state.read(&mut buffer) {
                Read::Bytes(count) => bytes.extend(&buffer[..count]),
                other => return (bytes, other),
            }
        }
    }

    #[test]
    fn what_came_before_the_end_is_read_before_the_end() {
        for (code, clean, end) in [
            (1000, true, Read::End),
            (1001, true, Read::End),
            (1005, true, Read::End),
            (1006, false, Read::Failed(Error::Closed(1006))),
            (1000, false, Read::Failed(Error::Closed(1000))),
            (1011, true, Read::Failed(Error::Closed(1011))),
        ] {
            let mut state = State::default();
            assert_eq!(state.read(&mut [0; 8]), Read::Nothing);
            assert!(state.on_message(vec![1, 2, 3]));
            assert!(state.on_message(vec![4]));
            state.on_close(code, clean);
            assert!(state.is_over() && state.send_error().is_some());
            assert_eq!(all(&mut state, 2), (vec![1, 2, 3, 4], end.clone()));
            assert_eq!(state.read(&mut [0; 8]), end);
        }
    }

    #[test]
    fn the_first_end_counts() {
        let mut state = State::default();
        state.fail(Error::Text);
        state.on_close(1000, true);
        assert!(state.on_message(vec![1]), "it is not looked at");
        assert_eq!(all(&mut state, 8), (vec![], Read::Failed(Error::Text)));
    }

    #[test]
    fn more_than_may_wait_fails_behind_what_had_room() {
        let mut state = State::default();
        let half = RECEIVE_BUFFER / 2;
        assert!(state.on_message(vec![1; half]));
        assert!(state.on_message(vec![2; half]));
        assert!(!state.on_message(vec![3]));
        assert!(state.on_message(vec![4]), "it has failed already");
        let (bytes, end) = all(&mut state, 1 << 20);
        assert_eq!(bytes.len(), RECEIVE_BUFFER);
        assert_eq!(end, Read::Failed(Error::Overflow));
    }

    #[test]
    fn what_was_read_makes_room() {
        let mut state = State::default();
        for _ in 0..4 {
            assert!(state.on_message(vec![1; RECEIVE_BUFFER]));
            let mut buffer = vec![0; RECEIVE_BUFFER];
            assert_eq!(state.read(&mut buffer), Read::Bytes(RECEIVE_BUFFER));
        }
        assert!(!state.is_over());
    }

    #[test]
    fn many_small_messages_are_a_load_too() {
        let mut state = State::default();
        for _ in 0..RECEIVE_MESSAGES {
            assert!(state.on_message(vec![1]));
            assert!(state.on_message(vec![]), "nothing is no load");
        }
        assert!(!state.on_message(vec![1]));
    }

    #[test]
    fn nothing_is_read_into_nothing() {
        let mut state = State::default();
        assert_eq!(state.read(&mut []), Read::Bytes(0));
        assert!(state.on_message(vec![1]));
        assert_eq!(state.read(&mut []), Read::Bytes(0));
        assert_eq!(state.read(&mut [0; 2]), Read::Bytes(1));
    }

    proptest! {
        #[test]
        fn bytes_come_out_in_order(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..20), step in 1_usize..30) {
            let mut state = State::default();
            let (early, late) = messages.split_at(messages.len() / 2);
            let mut bytes = Vec::new();
            for message in early {
                prop_assert!(state.on_message(message.clone()));
            }
            bytes.extend(all(&mut state, step).0);
            for message in late {
                prop_assert!(state.on_message(message.clone()));
            }
            state.on_close(1000, true);
            bytes.extend(all(&mut state, step).0);
            prop_assert_eq!(bytes, messages.concat());
        }
    }
}
