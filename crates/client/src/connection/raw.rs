//! An authenticated connection handed over to whoever forwards frames on it.

use std::time::Instant;

use bytes::BytesMut;

use super::{Connection, Stream};
use crate::error::ClientError;

/// What is left of a [`Connection`] without its requests and responses. Nothing that was sent on it is still to
/// be answered, so its new owner is free in its correlation ids.
pub struct RawConnection {
    /// The bytes to and from the broker.
    pub stream: Stream,
    /// What came from the broker and belongs before the next bytes of `stream`.
    pub unread: BytesMut,
    /// When to replace it, if the broker limits the session (KIP-368): 85 % into its lifetime.
    pub expires: Option<Instant>,
}

impl Connection {
    /// Hands the authenticated connection over.
    ///
    /// # Errors
    /// [`ClientError::Usage`] while responses are due, which would come to the new owner, and
    /// [`ClientError::Closed`] after a request was broken off.
    pub fn into_raw(mut self) -> Result<RawConnection, ClientError> {
        if self.torn {
            return Err(self.closed("an earlier request was broken off"));
        }
        if !self.awaited.is_empty() {
            let due = self.awaited.len();
            return Err(ClientError::Usage(format!("{due} responses are due; receive them first")));
        }
        Ok(RawConnection { stream: self.stream, unread: self.incoming, expires: self.expires })
    }
}
