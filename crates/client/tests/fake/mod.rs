//! A scripted server over a local socket: it answers each request as the test says.

#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod broker;
pub(crate) mod scram;

use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use schloss_client::{ClientConfig, Security};
use schloss_wire::messages::ApiVersionsResponse;
use schloss_wire::messages::api_versions_response::ApiVersion;
use schloss_wire::{Api, DecodeBudget, Request, RequestHead, Response, build, split_frame};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What the server does about a request.
pub(crate) enum Act {
    /// Answers at the version of the request.
    Answer(Response),
    /// Answers at another version.
    AnswerAt(Response, i16),
    /// Writes these bytes as they are.
    Raw(Vec<u8>),
    /// Says nothing.
    Silence,
    /// Closes the connection.
    Close,
}

/// One request as the server sees it.
pub(crate) struct Asked {
    pub(crate) head: RequestHead,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn api(&self) -> Api {
        Api::from_key(self.head.api_key).expect("the client sends known APIs")
    }

    pub(crate) fn request(&self) -> Request {
        let limits = DecodeBudget::Authenticated { max_request_bytes: 1 << 20 }.limits();
        Request::decode(self.api(), self.head.api_version, self.body.clone(), limits).expect("well formed")
    }
}

/// Makes the script of one connection.
pub(crate) type Script = Box<dyn FnMut(&Asked) -> Act + Send>;

/// A listening server; every connection runs its own script.
pub(crate) struct Fake {
    pub(crate) address: String,
    /// API key and version of every request, in order.
    pub(crate) log: Arc<Mutex<Vec<(i16, i16)>>>,
}

impl Fake {
    pub(crate) async fn plain(script: impl Fn() -> Script + Send + 'static) -> Self {
        Self::start(None, script).await
    }

    pub(crate) async fn tls(
        config: Arc<rustls::ServerConfig>,
        script: impl Fn() -> Script + Send + 'static,
    ) -> Self {
        Self::start(Some(TlsAcceptor::from(config)), script).await
    }

    async fn start(tls: Option<TlsAcceptor>, script: impl Fn() -> Script + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let log = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (script, tls, seen) = (script(), tls.clone(), Arc::clone(&seen));
                tokio::spawn(async move {
                    match tls {
                        None => converse(socket, script, seen).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(socket).await {
                                converse(stream, script, seen).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, log }
    }

    pub(crate) fn config(&self) -> ClientConfig {
        ClientConfig::new(vec![self.address.clone()], Security::Plaintext)
    }

    pub(crate) fn asked(&self) -> Vec<(i16, i16)> {
        self.log.lock().unwrap().clone()
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    mut script: Script,
    log: Arc<Mutex<Vec<(i16, i16)>>>,
) {
    let mut buffer = BytesMut::new();
    loop {
        let Ok(frame) = split_frame(&mut buffer, 1 << 20) else { return };
        let Some(frame) = frame else {
            match stream.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => continue,
            }
        };
        let Ok((head, body)) = RequestHead::parse(frame) else { return };
        log.lock().unwrap().push((head.api_key, head.api_version));
        let (correlation_id, version) = (head.correlation_id, head.api_version);
        let bytes = match script(&Asked { head, body }) {
            Act::Answer(response) => response.encode_frame(correlation_id, version).unwrap().to_vec(),
            Act::AnswerAt(response, version) => {
                response.encode_frame(correlation_id, version).unwrap().to_vec()
            }
            Act::Raw(bytes) => bytes,
            Act::Silence => continue,
            Act::Close => return,
        };
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
        let _flushed = stream.flush().await;
    }
}

/// Serves every API that the codec knows, up to what `cap` says.
pub(crate) fn versions(cap: impl Fn(Api) -> Option<i16>) -> Response {
    let ranges = Api::ALL.iter().filter_map(|&api| {
        let range = api.range();
        let max_version = cap(api)?.min(range.max);
        Some(build!(ApiVersion { api_key: api.key(), min_version: range.min, max_version }))
    });
    build!(ApiVersionsResponse { api_keys: ranges.collect() }).into()
}

/// A script that answers ApiVersions and leaves the rest to `others`.
pub(crate) fn after_versions(mut others: impl FnMut(&Asked) -> Act + Send + 'static) -> Script {
    Box::new(move |asked| match asked.api() {
        Api::ApiVersions => Act::Answer(versions(|_| Some(i16::MAX))),
        _ => others(asked),
    })
}
