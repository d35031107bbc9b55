//! A client that says exactly what a test wants said.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rustls::pki_types::ServerName;
use schloss_identity::{Mechanism, OsNonce, Password, ScramClient};
use schloss_wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use schloss_wire::messages::{
    ApiVersionsRequest, ApiVersionsResponse, ProduceRequest, SaslAuthenticateRequest,
    SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use schloss_wire::{Api, DecodeBudget, Request, Response, build};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{PATIENCE, TLS};

pub struct Client {
    pub stream: TlsStream<TcpStream>,
    pub correlation_id: i32,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).await.unwrap()
    }

    pub async fn try_connect(address: SocketAddr) -> std::io::Result<Self> {
        Self::connect_by(&TLS.client, address).await
    }

    /// With another TLS configuration, such as one with a certificate.
    pub async fn connect_by(tls: &Arc<rustls::ClientConfig>, address: SocketAddr) -> std::io::Result<Self> {
        let tcp = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let connecting = TlsConnector::from(Arc::clone(tls)).connect(name, tcp);
        let stream = timeout(PATIENCE, connecting).await.unwrap()?;
        Ok(Self { stream, correlation_id: 0 })
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        // The gate may have closed already; the test looks at what comes back.
        let _ = self.stream.write_all(bytes).await;
        let _ = self.stream.flush().await;
    }

    /// A correlation id that was not used yet.
    pub fn next_id(&mut self) -> i32 {
        self.correlation_id += 1;
        self.correlation_id
    }

    /// Sends one request and returns its correlation id.
    pub async fn send(&mut self, version: i16, request: impl Into<Request>) -> i32 {
        self.correlation_id += 1;
        let frame = frame(self.correlation_id, version, &request.into());
        self.send_bytes(&frame).await;
        self.correlation_id
    }

    /// The next frame, or nothing when the gate has closed.
    pub async fn receive(&mut self) -> Option<Bytes> {
        timeout(PATIENCE, async {
            let length = self.stream.read_i32().await.ok()?;
            let mut frame = vec![0; usize::try_from(length).unwrap()];
            self.stream.read_exact(&mut frame).await.ok()?;
            Some(Bytes::from(frame))
        })
        .await
        .expect("the gate neither answers nor closes")
    }

    /// The next frame as the answer to a request.
    pub async fn answer(&mut self, api: Api, version: i16) -> Option<(i32, Response)> {
        let frame = self.receive().await?;
        let correlation_id = i32::from_be_bytes(frame[..4].try_into().unwrap());
        let limits = DecodeBudget::Authenticated { max_request_bytes: 100 << 20 }.limits();
        let body = frame.slice(api.response_header_bytes(version)..);
        Some((correlation_id, Response::decode(api, version, body, limits).unwrap()))
    }

    /// Sends a request and returns its answer, or nothing when the gate closes.
    pub async fn try_call(&mut self, version: i16, request: impl Into<Request>) -> Option<Response> {
        let request = request.into();
        let api = request.api();
        let sent = self.send(version, request).await;
        let (correlation_id, response) = self.answer(api, version).await?;
        assert_eq!(correlation_id, sent);
        Some(response)
    }

    pub async fn call(&mut self, version: i16, request: impl Into<Request>) -> Response {
        self.try_call(version, request).await.expect("the gate closed instead of an answer")
    }

    pub async fn handshake(&mut self, version: i16, mechanism: &str) -> Option<SaslHandshakeResponse> {
        match self.try_call(version, build!(SaslHandshakeRequest { mechanism: mechanism.into() })).await? {
            Response::SaslHandshake(response) => Some(response),
            other => panic!("{other:?}"),
        }
    }

    pub async fn token(&mut self, token: Vec<u8>) -> Option<SaslAuthenticateResponse> {
        match self.try_call(2, build!(SaslAuthenticateRequest { auth_bytes: token.into() })).await? {
            Response::SaslAuthenticate(response) => Some(response),
            other => panic!("{other:?}"),
        }
    }

    /// The whole way in, as a Java client goes it. The error is what a failed login is told.
    pub async fn login(
        &mut self,
        mechanism: Mechanism,
        user: &str,
        password: &str,
    ) -> Result<(), (i16, String)> {
        let scram = ScramClient::new(mechanism, user, Password::new(password.to_owned()), &OsNonce);
        self.login_by(mechanism, scram).await.map(|_| ())
    }

    /// The same with a delegation token; returns how long the session lasts, in milliseconds.
    pub async fn login_with_token(
        &mut self,
        mechanism: Mechanism,
        id: &str,
        hmac: Password,
    ) -> Result<i64, (i16, String)> {
        let scram = ScramClient::new(mechanism, id, hmac, &OsNonce).with_token_auth();
        self.login_by(mechanism, scram).await
    }

    async fn login_by(&mut self, mechanism: Mechanism, mut scram: ScramClient) -> Result<i64, (i16, String)> {
        self.ping().await;
        assert_eq!(self.handshake(1, mechanism.name()).await.unwrap().error_code, 0);
        let first = self.token(scram.first()).await.unwrap();
        assert_eq!(first.error_code, 0);
        let last = self.token(scram.reply(&first.auth_bytes).unwrap()).await.unwrap();
        if last.error_code != 0 {
            return Err((last.error_code, last.error_message.unwrap().to_string()));
        }
        scram.finish(&last.auth_bytes).unwrap();
        Ok(last.session_lifetime_ms)
    }

    /// The whole way in by PLAIN; returns the answer to the token.
    pub async fn login_plainly(&mut self, user: &str, password: &str) -> SaslAuthenticateResponse {
        assert_eq!(self.handshake(1, "PLAIN").await.unwrap().error_code, 0);
        self.token(format!("\0{user}\0{password}").into_bytes()).await.unwrap()
    }

    /// Something that is always answered.
    pub async fn ping(&mut self) -> ApiVersionsResponse {
        match self.call(3, api_versions()).await {
            Response::ApiVersions(response) if response.error_code == 0 => response,
            other => panic!("{other:?}"),
        }
    }

    /// That the gate has closed, without one more byte of an answer.
    pub async fn is_closed(&mut self) {
        let mut byte = [0];
        let read =
            timeout(PATIENCE, self.stream.read(&mut byte)).await.expect("the connection is still open");
        assert!(matches!(read, Ok(0) | Err(_)), "an answer came instead of the end");
    }
}

pub fn api_versions() -> ApiVersionsRequest {
    build!(ApiVersionsRequest { client_software_name: "test".into(), client_software_version: "1".into() })
}

pub fn produce(acks: i16, topics: &[&str]) -> ProduceRequest {
    let topic_data = topics
        .iter()
        .map(|topic| {
            let partition = build!(PartitionProduceData { index: 0, records: Some(batch(3).into()) });
            build!(TopicProduceData { name: (*topic).into(), partition_data: vec![partition] })
        })
        .collect();
    build!(ProduceRequest { acks, timeout_ms: 1000, topic_data })
}

/// A batch header that declares so many records and has none: nobody here looks into it.
pub fn batch(records: i32) -> Vec<u8> {
    let mut batch = vec![0; 61];
    batch[8..12].copy_from_slice(&49_i32.to_be_bytes());
    batch[16] = 2;
    batch[57..61].copy_from_slice(&records.to_be_bytes());
    batch
}

/// A whole frame.
pub fn frame(correlation_id: i32, version: i16, request: &Request) -> BytesMut {
    let api = request.api();
    let mut body = BytesMut::new();
    request.encode_body(&mut body, version).unwrap();
    raw_frame(api.key(), version, correlation_id, api.is_flexible(version), &body)
}

/// A whole frame with whatever in it.
pub fn raw_frame(key: i16, version: i16, correlation_id: i32, is_flexible: bool, body: &[u8]) -> BytesMut {
    let mut rest = BytesMut::new();
    rest.extend_from_slice(&key.to_be_bytes());
    rest.extend_from_slice(&version.to_be_bytes());
    rest.extend_from_slice(&correlation_id.to_be_bytes());
    rest.extend_from_slice(&4_i16.to_be_bytes());
    rest.extend_from_slice(b"test");
    if is_flexible {
        rest.extend_from_slice(&[0]);
    }
    rest.extend_from_slice(body);
    let mut frame = BytesMut::new();
    frame.extend_from_slice(&i32::try_from(rest.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&rest);
    frame
}
