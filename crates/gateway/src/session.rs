//! One client connection: each admitted request on its way to the broker and its answer back.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use schloss_gate::{Caller, EngineSession, Outcome};
use schloss_policy::Admitted;
use schloss_wire::{Api, Request};

use crate::Addressing;
use crate::answer::{is_read, rewritten};
use crate::link::Link;
use crate::view::View;

/// Fetch answers of this version and older name no broker's address, so they pass as bytes in any length. Later
/// versions change nothing else in the answer: it can be read as one of the version that the client asked for.
const FETCH_WITHOUT_ADDRESSES: i16 = 15;

/// First version of Metadata that can ask for topics without creating them. Answers of any version can be read as
/// those of an older one.
const METADATA_CREATES_ON_DEMAND: i16 = 4;

/// What the sessions of a listener share.
pub(crate) struct Surroundings {
    pub(crate) view: Arc<View>,
    pub(crate) addressing: Addressing,
    pub(crate) max_answer_bytes: usize,
}

pub(crate) struct Session {
    link: Link,
    surroundings: Arc<Surroundings>,
    /// Whom a denial by the cluster itself is meant for.
    denied: Arc<str>,
}

impl Session {
    pub(crate) fn new(link: Link, surroundings: Arc<Surroundings>, denied: &str) -> Self {
        Self { link, surroundings, denied: denied.into() }
    }

    fn start(&self, caller: &Caller, admitted: &Admitted) -> io::Result<BoxFuture<'static, Outcome>> {
        let api = admitted.request().api();
        let version = upstream_version(caller.api_version, admitted.request());
        let frame = frame(caller, admitted, version)?;
        let address = caller.address;
        if matches!(admitted.request(), Request::Produce(produce) if produce.acks == 0) {
            let sent = self.link.send_unanswered(frame)?;
            return Ok(sent.map(move |sent| ended(api, address, sent.map(|()| Outcome::NoReply))).boxed());
        }
        let answer = self.link.send(frame, caller.correlation_id)?.begin();
        let surroundings = Arc::clone(&self.surroundings);
        if !is_read(api) {
            return Ok(answer.map(move |answer| ended(api, address, answer.map(Outcome::Forward))).boxed());
        }
        let denied = Arc::clone(&self.denied);
        let answered = async move {
            let answer = match answer.await {
                Ok(answer) => rewritten(answer, api, version, &surroundings, &denied).await,
                Err(error) => Err(error),
            };
            ended(api, address, answer)
        };
        Ok(answered.boxed())
    }
}

impl EngineSession for Session {
    fn call(&mut self, caller: Caller, request: Admitted) -> BoxFuture<'static, Outcome> {
        self.start(&caller, &request).unwrap_or_else(|error| {
            let outcome = ended(request.request().api(), caller.address, Err(error));
            std::future::ready(outcome).boxed()
        })
    }
}

/// A connection through a listener that nobody gave addresses: none of its requests goes anywhere.
pub(crate) struct Nowhere;

impl EngineSession for Nowhere {
    fn call(&mut self, caller: Caller, request: Admitted) -> BoxFuture<'static, Outcome> {
        let error = io::Error::other(format!("no addresses are set for listener {}", caller.listener));
        let outcome = ended(request.request().api(), caller.address, Err(error));
        std::future::ready(outcome).boxed()
    }
}

/// The version that the broker is asked in, which is the client's wherever its answer or the request allows it.
fn upstream_version(version: i16, request: &Request) -> i16 {
    match request {
        Request::Fetch(_) => version.min(FETCH_WITHOUT_ADDRESSES),
        Request::Metadata(metadata) if !metadata.allow_auto_topic_creation => {
            version.max(METADATA_CREATES_ON_DEMAND)
        }
        _ => version,
    }
}

/// What is sent: the client's own bytes if that is possible.
fn frame(caller: &Caller, admitted: &Admitted, version: i16) -> io::Result<Bytes> {
    match admitted.frame() {
        Some(frame) if version == caller.api_version => Ok(frame.clone()),
        _ => {
            let client_id = Some(&*caller.client_id).filter(|id| !id.is_empty());
            let encoded = admitted.request().encode_frame(caller.correlation_id, client_id, version);
            encoded.map_err(io::Error::other)
        }
    }
}

/// A client whose request has no answer sees its connection end, as if the broker itself had gone: it finds
/// out where to turn and tries again.
fn ended(api: Api, client: SocketAddr, outcome: io::Result<Outcome>) -> Outcome {
    outcome.unwrap_or_else(|error| {
        tracing::warn!(%client, "closing a client's connection: {} was not answered: {error}", api.name());
        Outcome::Close
    })
}
