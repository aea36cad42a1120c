//! Why something failed.

use std::{fmt, io, time::Duration};

use mooring_api::ErrorCode;

/// What an [`Error`] is about, for a program to match on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// Nobody answered: there is no extension, it is switched off, or its user keeps it from sites that hold no permission. A page cannot
    /// tell these apart, by intention.
    NotInstalled,
    /// No extension serves this document: it is a frame, or its origin is neither `https:` nor on the visitor's own machine.
    NotAllowed,
    /// A code of the page API. [`ErrorCode::NodeNotRunning`] is an extension that is there and whose node is not.
    Node(ErrorCode),
    /// A code of a newer extension, which this client has no name for.
    Unknown(i32),
}

impl Code {
    /// The number: the page API's, or 1 and 2 for the client's own, as in the npm client.
    pub const fn number(self) -> i32 {
        match self {
            Code::NotInstalled => 1,
            Code::NotAllowed => 2,
            Code::Node(code) => code.code(),
            Code::Unknown(code) => code,
        }
    }

    pub(crate) fn from_number(number: i32) -> Code {
        let known = ErrorCode::ALL.iter().copied();
        known
            .into_iter()
            .find(|known| known.code() == number)
            .map_or(Code::Unknown(number), Code::Node)
    }
}

/// Any failure of the node, the extension or this client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    code: Code,
    message: String,
    detail: Option<String>,
    retry_after: Option<Duration>,
}

impl Error {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Error {
            code,
            message: message.into(),
            detail: None,
            retry_after: None,
        }
    }

    pub(crate) fn node(code: ErrorCode, message: impl Into<String>) -> Self {
        Error::new(Code::Node(code), message)
    }

    pub(crate) fn with_detail(mut self, detail: Option<String>) -> Self {
        self.detail = detail;
        self
    }

    pub(crate) fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// What it is about.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Whether it is this code of the page API.
    pub fn is(&self, code: ErrorCode) -> bool {
        self.code == Code::Node(code)
    }

    /// More about this case, for a developer to read.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// With [`ErrorCode::LimitExceeded`], and with [`ErrorCode::UserRejected`] during a pause: when another try makes sense.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    /// [`io::ErrorKind::ConnectionReset`] for a stream's end, with the error inside.
    fn from(error: Error) -> Self {
        let kind = if error.is(ErrorCode::StreamReset) {
            io::ErrorKind::ConnectionReset
        } else {
            io::ErrorKind::Other
        };
        io::Error::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_contracts() {
        for code in ErrorCode::ALL {
            assert_eq!(Code::from_number(code.code()), Code::Node(*code));
            assert_eq!(Code::Node(*code).number(), code.code());
        }
        assert_eq!(Code::from_number(5_999), Code::Unknown(5_999));
        assert_eq!(Code::Unknown(5_999).number(), 5_999);
        // The client's own are none that an extension could send by a name of the contract.
        for own in [Code::NotInstalled, Code::NotAllowed] {
            assert!(
                ErrorCode::ALL
                    .iter()
                    .all(|code| code.code() != own.number())
            );
        }
    }

    #[test]
    fn it_reads_as_a_sentence_with_its_detail() {
        let error = Error::node(ErrorCode::DialFailed, "No address led to a connection");
        assert_eq!(error.to_string(), "No address led to a connection");
        let error = error.with_detail(Some("timed out".to_owned()));
        assert_eq!(
            error.to_string(),
            "No address led to a connection: timed out"
        );
        let io = io::Error::from(Error::node(ErrorCode::StreamReset, "gone"));
        assert_eq!(io.kind(), io::ErrorKind::ConnectionReset);
    }
}
