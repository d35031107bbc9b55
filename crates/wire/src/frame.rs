//! Length-prefixed frames.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

/// Bytes of the length that stands before every frame.
pub const LENGTH_PREFIX_BYTES: usize = 4;

/// A length prefix that no Kafka peer may send.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum FrameError {
    /// The length is negative.
    #[error("frame length {0} is negative")]
    Negative(i32),
    /// The frame is larger than its sender may send now.
    #[error("frame of {length} bytes is over the limit of {limit} bytes")]
    TooLarge {
        /// The announced length in bytes.
        length: usize,
        /// The limit in force, in bytes.
        limit: usize,
    },
}

/// Takes one whole frame, without its prefix, off the front of `buffer`.
///
/// `None` means that more bytes are needed. The length is checked before anything is reserved for it.
///
/// # Errors
/// A negative length or one over `max_bytes`; the connection can't be read further.
pub fn split_frame(buffer: &mut BytesMut, max_bytes: usize) -> Result<Option<Bytes>, FrameError> {
    let Some(prefix) = buffer.first_chunk::<LENGTH_PREFIX_BYTES>() else { return Ok(None) };
    let announced = i32::from_be_bytes(*prefix);
    let length = usize::try_from(announced).map_err(|_| FrameError::Negative(announced))?;
    if length > max_bytes {
        return Err(FrameError::TooLarge { length, limit: max_bytes });
    }
    let whole = LENGTH_PREFIX_BYTES + length;
    if buffer.len() < whole {
        // Grown in steps that the peer has paid for with bytes: an announced length alone reserves little.
        buffer.reserve((whole - buffer.len()).min(buffer.len().max(MIN_RESERVE_BYTES)));
        return Ok(None);
    }
    buffer.advance(LENGTH_PREFIX_BYTES);
    Ok(Some(buffer.split_to(length).freeze()))
}

const MIN_RESERVE_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_out_when_it_is_whole() {
        let mut buffer = BytesMut::from(&[0, 0, 0, 3, b'a', b'b'][..]);
        assert_eq!(split_frame(&mut buffer, 10), Ok(None));
        buffer.extend_from_slice(b"cd");
        assert_eq!(split_frame(&mut buffer, 10), Ok(Some(Bytes::from_static(b"abc"))));
        assert_eq!(&buffer[..], b"d");
    }

    #[test]
    fn hostile_lengths_are_refused_before_any_allocation() {
        let mut negative = BytesMut::from(&[0x80, 0, 0, 0][..]);
        assert_eq!(split_frame(&mut negative, 10), Err(FrameError::Negative(i32::MIN)));
        let mut huge = BytesMut::from(&[0x7f, 0xff, 0xff, 0xff][..]);
        let before = huge.capacity();
        assert!(matches!(split_frame(&mut huge, 1 << 20), Err(FrameError::TooLarge { .. })));
        assert_eq!(huge.capacity(), before);
    }

    #[test]
    fn an_announced_length_alone_reserves_little() {
        let mut buffer = BytesMut::from(&[0x06, 0, 0, 0][..]);
        assert_eq!(split_frame(&mut buffer, 100 << 20), Ok(None));
        assert!(buffer.capacity() <= 64 * 1024, "{}", buffer.capacity());
    }
}
