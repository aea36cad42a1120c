//! Frames: how a message is written to a stream and read from it, whoever's stream it is.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use serde::{Serialize, de::DeserializeOwned};

use crate::MAX_FRAME;

/// Why no message could be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The stream broke.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The frame is longer than [`MAX_FRAME`].
    #[error("a message of {0} bytes is too long")]
    TooLong(usize),
    /// What is in the frame is none of the messages.
    #[error("a message was not understood: {0}")]
    NotUnderstood(#[from] serde_json::Error),
}

/// Writes a message.
///
/// # Errors
/// When the stream breaks, or the message is longer than [`MAX_FRAME`]; nothing of that is written.
pub async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &impl Serialize,
) -> Result<(), FrameError> {
    let json = serde_json::to_vec(message)?;
    let length = u32::try_from(json.len())
        .ok()
        .filter(|_| json.len() <= MAX_FRAME);
    let length = length.ok_or(FrameError::TooLong(json.len()))?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(&json).await?;
    stream.flush().await?;
    Ok(())
}

/// Reads a message; an end before it is an error.
///
/// # Errors
/// When the stream breaks or ends, and when what came is no message.
pub async fn read<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<T, FrameError> {
    let message = read_or_end(stream).await?;
    message.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof).into())
}

/// Reads a message, or none when the stream is at its end.
///
/// # Errors
/// When the stream breaks, and when what came is no message.
pub async fn read_or_end<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<T>, FrameError> {
    let mut length = [0; 4];
    let [first, rest @ ..] = &mut length;
    if stream.read(std::slice::from_mut(first)).await? == 0 {
        return Ok(None);
    }
    stream.read_exact(rest).await?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_FRAME {
        return Err(FrameError::TooLong(length));
    }
    let mut json = Vec::new();
    // Memory is taken for what comes, not for what is announced.
    let come = stream.take(length as u64).read_to_end(&mut json).await?;
    if come < length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(Some(serde_json::from_slice(&json)?))
}

#[cfg(test)]
mod tests {
    use futures::{executor::block_on, io::Cursor};

    use super::*;
    use crate::{Answer, MAX_TEXT, Note, Request};

    #[test]
    fn messages_come_back_in_order_and_then_the_end() {
        block_on(async {
            let longest = Answer::Note(Note {
                name: "a".to_owned(),
                text: "\u{1}".repeat(MAX_TEXT),
                revision: "0".repeat(64),
            });
            let mut wire = Vec::new();
            write(&mut wire, &Request::Watch).await.unwrap();
            write(&mut wire, &longest).await.unwrap();
            let mut wire = Cursor::new(wire);
            assert_eq!(read::<Request>(&mut wire).await.unwrap(), Request::Watch);
            assert_eq!(read_or_end(&mut wire).await.unwrap(), Some(longest));
            assert!(read_or_end::<Answer>(&mut wire).await.unwrap().is_none());
            assert!(read::<Answer>(&mut wire).await.is_err());
        });
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        let result = |wire: &[u8]| block_on(read::<Request>(&mut Cursor::new(wire.to_vec())));
        assert!(matches!(result(&[255; 9]), Err(FrameError::TooLong(_))));
        assert!(matches!(
            result(b"\0\0\0\x02{}"),
            Err(FrameError::NotUnderstood(_))
        ));
        for cut in [&b"\0\0"[..], b"\0\0\0\x02{"] {
            assert!(matches!(result(cut), Err(FrameError::Io(_))));
        }
        let too_long = "a".repeat(MAX_FRAME);
        let mut wire = Vec::new();
        let written = block_on(write(&mut wire, &too_long));
        assert!(matches!(written, Err(FrameError::TooLong(_))) && wire.is_empty());
    }
}
