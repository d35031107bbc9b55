//! A client that proves itself again on an open connection (KIP-368).
//!
//! Requests that came before are answered first, and none is served between `SaslHandshake` and the end of the
//! exchange. Who fails is not served any more.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use schloss_audit::Event;
use schloss_wire::Api;
use tokio::time::{Instant, sleep};

use crate::audit_trail::{logged_in, refused};
use crate::house::House;
use crate::pipeline::Incoming;
use crate::sasl::{Stage, Turn};
use crate::session::Session;
use crate::standing::Standing;

/// Where a client's new proof stands.
#[derive(Default)]
pub(crate) enum Reauth {
    /// None is being made.
    #[default]
    None,
    /// The client is to send its next token.
    Waiting(Stage),
    /// What it sent is being looked at.
    AtWork(BoxFuture<'static, Turn>),
}

/// What one request of the exchange led to.
pub(crate) struct Renewal {
    /// What to send.
    pub(crate) answer: Option<Bytes>,
    /// What to write down before that.
    pub(crate) event: Option<Event>,
    /// Whether the connection ends.
    pub(crate) is_over: bool,
}

impl Reauth {
    /// Whether a request belongs to it. A handshake in the old form does not: tokens without a header can't be told
    /// from requests.
    pub(crate) fn takes(&self, incoming: &Incoming, standing: &Standing, now: Instant) -> bool {
        let head = &incoming.head;
        matches!(self, Self::Waiting(_))
            || (head.api_key == Api::SaslHandshake.key() && head.api_version > 0 && standing.may_renew(now))
    }

    pub(crate) const fn is_at_work(&self) -> bool {
        matches!(self, Self::AtWork(_))
    }

    /// Begins to look at a request that belongs to it.
    pub(crate) fn begin(&mut self, house: &Arc<House>, session: &Session, incoming: Incoming) {
        let stage = match std::mem::take(self) {
            Self::Waiting(stage) => stage,
            _ => Stage::Greeting,
        };
        let door = house.door_again(session);
        let delay = house.config.failed_authentication_delay;
        let work = async move {
            let turn = stage.request(incoming.head, incoming.body, &door).await;
            if matches!(&turn, Turn::Refuse(_, refusal) if refusal.is_failed_login) {
                sleep(delay).await;
            }
            turn
        };
        *self = Self::AtWork(work.boxed());
    }

    /// What a request has led to, once it has.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, session: &mut Session) -> Poll<Renewal> {
        let Self::AtWork(work) = self else { return Poll::Pending };
        let turn = ready!(work.as_mut().poll(cx));
        *self = Self::None;
        Poll::Ready(match turn {
            Turn::Answer(answer, stage) => {
                *self = Self::Waiting(stage);
                Renewal { answer: Some(answer.freeze()), event: None, is_over: false }
            }
            Turn::Admit(answer, proof) => {
                let event = Some(logged_in(session.peer(), &proof));
                session.renew(proof);
                Renewal { answer: Some(answer.freeze()), event, is_over: false }
            }
            Turn::Refuse(answer, refusal) => {
                let event = Some(refused(session.peer(), refusal));
                Renewal { answer: answer.map(|answer| answer.freeze()), event, is_over: true }
            }
        })
    }
}
