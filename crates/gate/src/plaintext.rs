//! What the first bytes on a TLS port say about who knocks.
//!
//! A plain-text Kafka client gets no answer that it understands from a TLS port, so its user is left
//! guessing; whoever reads the log should not be.

use bytes::Bytes;
use schloss_wire::{Api, LENGTH_PREFIX_BYTES, RequestHead};

/// Content type of a TLS handshake record (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 22;
/// Length, API key and version: enough to tell a Kafka request.
const KAFKA_SIGNATURE_BYTES: usize = 8;
/// Highest version of any API that is taken for a request's.
const PLAUSIBLE_VERSION_MAX: i16 = 32;
/// Longest first request that a client sends before authentication, in bytes.
const PLAUSIBLE_LENGTH_MAX: usize = 64 * 1024;
const HTTP_METHODS: [&[u8]; 9] =
    [b"GET ", b"POST ", b"PUT ", b"HEAD ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"CONNECT ", b"PRI * "];

/// Who knocks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum FirstBytes {
    /// The first byte of a TLS handshake.
    Tls,
    /// A Kafka request in plain text.
    PlainKafka { api: Api, client_id: Option<String> },
    /// A web browser, a scraper or a health check.
    Http,
    /// Nothing that is known.
    Unknown,
    /// More bytes are needed to tell.
    Incomplete,
}

impl FirstBytes {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let Some(&first) = bytes.first() else { return Self::Incomplete };
        if first == TLS_HANDSHAKE {
            return Self::Tls;
        }
        if HTTP_METHODS.iter().any(|method| bytes.starts_with(method)) {
            return Self::Http;
        }
        if HTTP_METHODS.iter().any(|method| method.starts_with(bytes)) {
            return Self::Incomplete;
        }
        Self::kafka(bytes)
    }

    fn kafka(bytes: &[u8]) -> Self {
        if bytes[0] != 0 {
            return Self::Unknown;
        }
        let Some([l0, l1, l2, l3, k0, k1, v0, v1]) = bytes.first_chunk::<KAFKA_SIGNATURE_BYTES>().copied()
        else {
            return Self::Incomplete;
        };
        let length = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        let version = i16::from_be_bytes([v0, v1]);
        match Api::from_key(i16::from_be_bytes([k0, k1])) {
            Some(api) if (0..=PLAUSIBLE_VERSION_MAX).contains(&version) && length <= PLAUSIBLE_LENGTH_MAX => {
                Self::PlainKafka { api, client_id: client_id(bytes, length) }
            }
            _ => Self::Unknown,
        }
    }

    /// What to tell the operator, or `None` where TLS should go on.
    pub(crate) fn complaint(&self) -> Option<String> {
        match self {
            Self::Tls => None,
            Self::PlainKafka { api, client_id } => {
                let who = client_id
                    .as_ref()
                    .filter(|id| !id.is_empty())
                    .map_or_else(String::new, |id| format!(" with client id '{id}'"));
                Some(format!(
                    "a plain-text Kafka client{who} tried to connect to this TLS port (it sent {} unencrypted); \
                     set security.protocol=SASL_SSL in the client",
                    api.name()
                ))
            }
            Self::Http => Some("an HTTP client tried to connect to this Kafka TLS port".to_owned()),
            Self::Unknown | Self::Incomplete => Some(
                "a client that speaks neither TLS nor Kafka tried to connect to this TLS port".to_owned(),
            ),
        }
    }
}

// Only a request that is all there is looked into: the id is a courtesy, not worth waiting for.
fn client_id(bytes: &[u8], length: usize) -> Option<String> {
    let frame = bytes.get(LENGTH_PREFIX_BYTES..LENGTH_PREFIX_BYTES + length)?;
    let (head, _) = RequestHead::parse(Bytes::copy_from_slice(frame)).ok()?;
    Some(head.client_id().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_hello_goes_on() {
        assert_eq!(FirstBytes::of(&[0x16, 0x03, 0x01, 0x02]), FirstBytes::Tls);
    }

    #[test]
    fn a_plain_kafka_client_is_named() {
        let mut bytes = vec![0, 0, 0, 14, 0, 18, 0, 0, 0, 0, 0, 1, 0, 4];
        bytes.extend_from_slice(b"kcat");
        let seen = FirstBytes::of(&bytes);
        let expected = FirstBytes::PlainKafka { api: Api::ApiVersions, client_id: Some("kcat".to_owned()) };
        assert_eq!(seen, expected);
        let words = seen.complaint().unwrap();
        assert!(words.contains("plain-text Kafka client with client id 'kcat'"), "{words}");
    }

    #[test]
    fn a_kafka_request_is_told_from_its_first_eight_bytes() {
        let bytes = [0, 0, 0, 14, 0, 18, 0, 3];
        for length in 0..bytes.len() {
            assert_eq!(FirstBytes::of(&bytes[..length]), FirstBytes::Incomplete, "{length}");
        }
        let expected = FirstBytes::PlainKafka { api: Api::ApiVersions, client_id: None };
        assert_eq!(FirstBytes::of(&bytes), expected);
    }

    #[test]
    fn http_is_recognised() {
        assert_eq!(FirstBytes::of(b"GE"), FirstBytes::Incomplete);
        assert_eq!(FirstBytes::of(b"GET / HTTP/1.1\r\n"), FirstBytes::Http);
        assert_eq!(FirstBytes::of(b"PRI * HTTP/2.0"), FirstBytes::Http);
    }

    #[test]
    fn garbage_is_unknown() {
        assert_eq!(FirstBytes::of(b"\xff\xfe"), FirstBytes::Unknown);
        assert_eq!(FirstBytes::of(&[0, 1, 2, 3, 0x70, 0, 0, 0]), FirstBytes::Unknown);
    }
}
