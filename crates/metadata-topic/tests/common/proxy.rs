//! Something between a gateway and its coordinator that can lose the end of a transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::{Bytes, BytesMut};
use schloss_wire::messages::FindCoordinatorResponse;
use schloss_wire::{ApiVersion, DecodeLimits, Encoder, KafkaDecode as _, KafkaEncode as _, StrBytes};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const FIND_COORDINATOR: i16 = 10;
const END_TXN: i16 = 26;
/// Bytes of a response header of version 1: correlation id, no tagged fields.
const HEADER_BYTES: usize = 5;

/// What of a commit is lost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Lost {
    /// The request: nothing is committed.
    Request = 1,
    /// The answer, after the broker has committed.
    Answer = 2,
}

pub(crate) struct Proxy {
    pub(crate) address: String,
    lose: Arc<AtomicU8>,
}

impl Proxy {
    /// Forwards to the first bootstrap address, and says that the coordinator is here.
    pub(crate) async fn start() -> Self {
        let upstream = super::client().bootstrap[0].clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let lose = Arc::new(AtomicU8::new(0));
        let shared = Arc::clone(&lose);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (upstream, lose) = (upstream.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    let server = TcpStream::connect(upstream).await.unwrap();
                    forward(client, server, port, &lose).await;
                });
            }
        });
        Self { address: format!("127.0.0.1:{port}"), lose }
    }

    pub(crate) fn lose_next_commit(&self, what: Lost) {
        self.lose.store(what as u8, Ordering::SeqCst);
    }

    pub(crate) fn has_lost_it(&self) -> bool {
        self.lose.load(Ordering::SeqCst) == 0
    }
}

/// One request and its response after the other, as our client calls.
async fn forward(mut client: TcpStream, mut server: TcpStream, port: u16, lose: &AtomicU8) -> Option<()> {
    loop {
        let request = frame(&mut client).await?;
        let key = i16::from_be_bytes([request[4], request[5]]);
        let version = i16::from_be_bytes([request[6], request[7]]);
        let lost = if key == END_TXN { lose.swap(0, Ordering::SeqCst) } else { 0 };
        if lost == Lost::Request as u8 {
            return None;
        }
        server.write_all(&request).await.ok()?;
        let mut response = frame(&mut server).await?;
        if lost == Lost::Answer as u8 {
            return None;
        }
        if key == FIND_COORDINATOR {
            response = redirected(&response, ApiVersion::new(version), port);
        }
        client.write_all(&response).await.ok()?;
    }
}

/// A frame with its length.
async fn frame(stream: &mut TcpStream) -> Option<Bytes> {
    let length = stream.read_u32().await.ok()?;
    let mut frame = BytesMut::zeroed(4 + length as usize);
    frame[..4].copy_from_slice(&length.to_be_bytes());
    stream.read_exact(&mut frame[4..]).await.ok()?;
    Some(frame.freeze())
}

fn redirected(response: &Bytes, version: ApiVersion, port: u16) -> Bytes {
    let body = response.slice(4 + HEADER_BYTES..);
    let mut found =
        FindCoordinatorResponse::decode_from_bytes(body, version, DecodeLimits::default()).unwrap();
    for coordinator in &mut found.coordinators {
        (coordinator.host, coordinator.port) = (StrBytes::from("127.0.0.1"), i32::from(port));
    }
    let mut body = BytesMut::new();
    found.encode(&mut Encoder::new(&mut body), version).unwrap();
    let length = u32::try_from(HEADER_BYTES + body.len()).unwrap();
    [&length.to_be_bytes()[..], &response[4..4 + HEADER_BYTES], &body].concat().into()
}
