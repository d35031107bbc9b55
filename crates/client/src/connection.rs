//! One connection to one broker: TCP, TLS, versions, SASL, then requests and responses in order.

mod address;
mod negotiate;
mod raw;
mod sasl;
mod stream;

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use schloss_wire::messages::{
    ApiVersionsResponse, OutboundFrameLimits, encode_request, response_header_version_for,
};
use schloss_wire::{
    ApiVersion, DecodeBudget, DecodeError, DecodeLimits, Decoder, KafkaDecode, LENGTH_PREFIX_BYTES,
    RequestResponsePair, StrBytes, split_frame,
};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::config::{ClientConfig, Security};
use crate::error::ClientError;
use crate::tls::{self, Tls, TlsProblem};

pub(crate) use address::{join_address, split_address};
use negotiate::Versions;
pub use raw::RawConnection;
pub use stream::Stream;

/// Largest response before authentication, in bytes: version tables and tokens, nothing larger.
const MAX_UNAUTHENTICATED_BYTES: usize = 512 * 1024;
/// Largest request, in bytes: Kafka's default `socket.request.max.bytes`.
const MAX_REQUEST_BYTES: usize = 100 * 1024 * 1024;
/// Most requests sent ahead of their responses on one connection.
pub const MAX_PIPELINED: usize = 64;
/// A session with a lifetime is replaced when this much of it has passed; Kafka's clients use 85 to 95 %.
const SESSION_USE_PERCENT: u32 = 85;

/// An authenticated connection. Calls go one after another; [`Connection::send`] and [`Connection::receive`]
/// are the two halves of a call for those who pipeline.
pub struct Connection {
    stream: Stream,
    tls: Option<Tls>,
    address: String,
    client_id: StrBytes,
    user: Option<String>,
    versions: Versions,
    incoming: BytesMut,
    awaited: VecDeque<Awaited>,
    next_correlation_id: i32,
    request_timeout: Duration,
    limits: DecodeLimits,
    /// True while a request is half written: a connection abandoned there can't be used again.
    torn: bool,
    /// True once a request beyond the agreement on versions was answered.
    served: bool,
    expires: Option<Instant>,
}

/// A response that is due, in the order of the requests.
struct Awaited {
    correlation_id: i32,
    version: ApiVersion,
    header_version: i16,
}

impl Connection {
    /// Connects to `host:port`, as the configuration says, and authenticates.
    ///
    /// # Errors
    /// Every way in which this fails has its own [`ClientError`], with what to check.
    pub async fn connect(config: &ClientConfig, address: &str) -> Result<Self, ClientError> {
        let after = config.connect_timeout;
        let mut stage = "connecting";
        let outcome = timeout(after, Self::establish(config, address, &mut stage)).await;
        outcome.unwrap_or_else(|_| {
            Err(ClientError::Timeout { address: address.to_owned(), doing: stage.to_owned(), after })
        })
    }

    async fn establish(
        config: &ClientConfig,
        address: &str,
        stage: &mut &'static str,
    ) -> Result<Self, ClientError> {
        let stream = Stream::connect(config, address, stage).await?;
        let mut connection = Self {
            stream,
            tls: match &config.security {
                Security::Tls(tls) => Some(tls.clone()),
                Security::Plaintext => None,
            },
            address: address.to_owned(),
            client_id: StrBytes::from(config.client_id.as_str()),
            user: config.user().map(str::to_owned),
            versions: Versions::default(),
            incoming: BytesMut::new(),
            awaited: VecDeque::new(),
            next_correlation_id: 0,
            request_timeout: config.request_timeout,
            limits: limits(MAX_UNAUTHENTICATED_BYTES),
            torn: false,
            served: false,
            expires: None,
        };
        *stage = "agreeing on versions";
        connection.versions = negotiate::first(&mut connection).await?;
        if let Some(sasl) = &config.sasl {
            *stage = "authenticating";
            let lifetime = sasl::authenticate(&mut connection, sasl).await?;
            connection.expires =
                lifetime.map(|lifetime| Instant::now() + lifetime * SESSION_USE_PERCENT / 100);
        }
        *stage = "agreeing on versions";
        connection.versions = negotiate::whole(&mut connection).await?;
        connection.limits = limits(config.max_response_bytes);
        Ok(connection)
    }

    /// The `host:port` of the peer.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The user of this connection, if it has one.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// How many responses are due.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.awaited.len()
    }

    /// Whether it was broken off in the middle of a request, or its session is about to end.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.torn || self.expires.is_some_and(|end| end <= Instant::now())
    }

    /// What the broker said after authentication that it serves: version ranges, supported and finalized features
    /// and their epoch. Feature levels that begin at 0 are in it from brokers of Kafka 3.9 or later.
    #[must_use]
    pub fn api_versions(&self) -> &ApiVersionsResponse {
        self.versions.answer()
    }

    /// Whether the broker and we have a version of this API in common.
    #[must_use]
    pub fn supports<R: RequestResponsePair>(&self) -> bool {
        self.versions.pick::<R>(i16::MAX).is_some()
    }

    /// The version of an API that a call uses: the highest that both sides know, at most `ceiling`.
    ///
    /// # Errors
    /// [`ClientError::Unsupported`] when there is none.
    pub fn version<R: RequestResponsePair>(&self, ceiling: i16) -> Result<i16, ClientError> {
        self.versions.pick::<R>(ceiling).ok_or_else(|| ClientError::Unsupported {
            address: self.address.clone(),
            what: self.versions.describe::<R>(),
        })
    }

    /// Sends a request at the highest version in common and waits for its response.
    ///
    /// # Errors
    /// The connection broke, timed out, or the response can't be read. An error code in the response is the
    /// caller's to look at.
    pub async fn call<R: RequestResponsePair>(&mut self, request: &R) -> Result<R::Response, ClientError> {
        let version = self.version::<R>(i16::MAX)?;
        self.call_at(request, version).await
    }

    /// The same at a given version.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub async fn call_at<R: RequestResponsePair>(
        &mut self,
        request: &R,
        version: i16,
    ) -> Result<R::Response, ClientError> {
        self.call_within(request, version, self.request_timeout).await
    }

    /// The same with its own time limit, for requests that the broker may hold.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub async fn call_within<R: RequestResponsePair>(
        &mut self,
        request: &R,
        version: i16,
        within: Duration,
    ) -> Result<R::Response, ClientError> {
        let exchange = async {
            self.discard_abandoned().await?;
            self.send(request, version).await?;
            self.receive::<R>().await
        };
        match timeout(within, exchange).await {
            Ok(result) => result,
            Err(_) => {
                self.torn = true;
                Err(ClientError::Timeout {
                    address: self.address.clone(),
                    doing: format!("waiting for {}", R::API_DESCRIPTOR.request.name),
                    after: within,
                })
            }
        }
    }

    /// Writes a request; its response comes in turn from [`Connection::receive`].
    ///
    /// Abandoning this future makes the connection unusable.
    ///
    /// # Errors
    /// [`MAX_PIPELINED`] responses are due, the request can't be encoded, or the connection broke.
    pub async fn send<R: RequestResponsePair>(
        &mut self,
        request: &R,
        version: i16,
    ) -> Result<(), ClientError> {
        if self.torn {
            return Err(self.closed("an earlier request was broken off"));
        }
        if self.awaited.len() >= MAX_PIPELINED {
            return Err(ClientError::Usage(format!("{MAX_PIPELINED} responses are due; receive one first")));
        }
        let api_version = ApiVersion::new(version);
        let encoded = |error| ClientError::Record(format!("can't encode the request: {error}"));
        let header_version = response_header_version_for::<R>(api_version).map_err(encoded)?;
        let correlation_id = self.next_correlation_id;
        let mut frame = BytesMut::new();
        encode_request(
            &mut frame,
            correlation_id,
            Some(self.client_id.clone()),
            request,
            api_version,
            OutboundFrameLimits::new(MAX_REQUEST_BYTES),
        )
        .map_err(encoded)?;
        self.next_correlation_id = correlation_id.wrapping_add(1) & i32::MAX;
        self.torn = true;
        let written = async {
            self.stream.write_all(&frame).await?;
            self.stream.flush().await
        };
        if let Err(error) = written.await {
            let error = self.last_words(error).await;
            return Err(self.broken("sending", &error));
        }
        self.torn = false;
        self.awaited.push_back(Awaited { correlation_id, version: api_version, header_version });
        Ok(())
    }

    /// Waits for the response of the oldest request sent. Abandoning this future loses nothing.
    ///
    /// # Errors
    /// No response is due, the connection broke, or the bytes are no response to that request.
    pub async fn receive<R: RequestResponsePair>(&mut self) -> Result<R::Response, ClientError> {
        let (version, body) = self.next_body().await?;
        self.served = true;
        R::Response::decode_from_bytes(body, version, self.limits).map_err(|error| self.malformed(&error))
    }

    /// The body of the next response, whatever it holds.
    async fn next_body(&mut self) -> Result<(ApiVersion, Bytes), ClientError> {
        if self.awaited.is_empty() {
            return Err(ClientError::Usage("no response is due; send a request first".to_owned()));
        }
        let frame = self.next_frame().await?;
        let Some(due) = self.awaited.pop_front() else {
            return Err(ClientError::Usage("no response is due; send a request first".to_owned()));
        };
        split_header(frame, &due, self.limits).map_err(|error| self.malformed(&error)).and_then(
            |(correlation_id, body)| {
                if correlation_id == due.correlation_id {
                    return Ok((due.version, body));
                }
                self.torn = true;
                Err(ClientError::Protocol {
                    address: self.address.clone(),
                    detail: format!("response {correlation_id} came where {} was due", due.correlation_id),
                })
            },
        )
    }

    async fn next_frame(&mut self) -> Result<Bytes, ClientError> {
        loop {
            match split_frame(&mut self.incoming, self.limits.max_frame_bytes) {
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => {}
                Err(error) => {
                    self.torn = true;
                    return Err(self.bad_frame(&error));
                }
            }
            match self.stream.fill(&mut self.incoming).await {
                Ok(0) => return Err(self.closed("waiting for a response")),
                Ok(_) => {}
                Err(error) => return Err(self.broken("waiting for a response", &error)),
            }
        }
    }

    /// Reads past the responses of calls whose futures were dropped.
    async fn discard_abandoned(&mut self) -> Result<(), ClientError> {
        while !self.awaited.is_empty() {
            let _nobody_waits = self.next_body().await?;
        }
        Ok(())
    }

    fn bad_frame(&self, error: &schloss_wire::FrameError) -> ClientError {
        let address = self.address.clone();
        if !self.stream.is_tls() && stream::looks_like_tls(&self.incoming) {
            return ClientError::TlsServer { address };
        }
        match *error {
            schloss_wire::FrameError::TooLarge { length, limit } => {
                ClientError::Oversized { address, length, limit }
            }
            schloss_wire::FrameError::Negative(_) => {
                ClientError::Protocol { address, detail: error.to_string() }
            }
        }
    }

    /// A server that refuses our certificate closes behind its alert, which a failed write does not show. The
    /// connection is cut, so that this read waits for nothing.
    async fn last_words(&mut self, error: io::Error) -> io::Error {
        if self.stream.is_tls() && tls::is_cut(error.kind()) {
            return self.stream.fill(&mut self.incoming).await.err().unwrap_or(error);
        }
        error
    }

    /// Before the first answer an error of TLS is the end of a handshake that failed; later the connection broke.
    fn broken(&mut self, doing: &str, error: &io::Error) -> ClientError {
        match (&self.tls, tls::cause(error), split_address(&self.address)) {
            (Some(tls), Some(cause), Ok((host, _))) if self.versions.is_empty() => {
                self.torn = true;
                let problem = TlsProblem::from_tls(cause, host, tls);
                ClientError::Tls { address: self.address.clone(), problem }
            }
            _ => self.closed(&format!("{doing} ({error})")),
        }
    }

    fn closed(&mut self, doing: &str) -> ClientError {
        self.torn = true;
        let hint = self.hint().unwrap_or_default();
        ClientError::Closed { address: self.address.clone(), doing: format!("{doing}{hint}") }
    }

    /// What a listener may want that closes at its first request.
    fn hint(&self) -> Option<&'static str> {
        let first = self.versions.is_empty();
        match &self.tls {
            None if first => Some("; if the listener requires TLS, set security.protocol=SASL_SSL"),
            Some(tls) if first && !tls.has_identity() => Some(
                "; if the listener requires a client certificate, set ssl.keystore.location (Java), or \
                 ssl.certificate.location and ssl.key.location (librdkafka)",
            ),
            _ if !first && !self.served && self.user.is_none() => {
                Some("; if the listener requires SASL, set security.protocol=SASL_SSL and sasl.mechanism")
            }
            _ => None,
        }
    }

    fn malformed(&self, error: &DecodeError) -> ClientError {
        ClientError::Protocol { address: self.address.clone(), detail: error.to_string() }
    }
}

/// Parts a frame into its correlation id and its body.
fn split_header(frame: Bytes, due: &Awaited, limits: DecodeLimits) -> Result<(i32, Bytes), DecodeError> {
    let mut body = frame.clone();
    let mut decoder = Decoder::new(frame, limits)?;
    let correlation_id = decoder.read_i32()?;
    if due.header_version >= 1 {
        decoder.read_tagged_fields()?;
    }
    let consumed = decoder.offset();
    body.advance(consumed);
    Ok((correlation_id, body))
}

fn limits(max_frame_bytes: usize) -> DecodeLimits {
    let max_request_bytes = max_frame_bytes.min(i32::MAX as usize - LENGTH_PREFIX_BYTES);
    DecodeBudget::Authenticated { max_request_bytes }.limits()
}
