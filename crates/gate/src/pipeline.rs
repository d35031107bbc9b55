//! The one way of every request of a session: decode, decide, serve, repair, record, encode.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use schloss_audit::Event;
use schloss_metadata::{QuotaKey, Snapshot};
use schloss_policy::{Admitted, Decision, Repair, Verdict, admit, is_administrative, refuse};
use schloss_wire::messages::{SaslAuthenticateResponse, SaslHandshakeResponse};
use schloss_wire::{Api, DecodeBudget, ErrorCode, Request, RequestHead, Response, build};

use crate::Outcome;
use crate::administration::Action;
use crate::audit_trail::Origin;
use crate::forward::Collected;
use crate::house::House;
use crate::memory::FramePermit;
use crate::passing::Passing;
use crate::quota::{Account, limit_mutations, merge};
use crate::sasl::describe;
use crate::security_apis::{self, is_over_tokens, refuse_over_tokens};
use crate::session::Session;
use crate::traffic::{Carried, TrafficSums};

/// Denials of one request that get a record each; the rest of them share one.
const DENIALS_MAX: usize = 1000;

/// What a request needs of its connection.
pub(crate) struct Pipeline<'a> {
    pub(crate) house: &'a Arc<House>,
    pub(crate) session: &'a mut Session,
    pub(crate) events: &'a mut Vec<Event>,
    pub(crate) sums: &'a mut TrafficSums,
}

/// A request on its way from the engine back to the wire.
pub(crate) struct InFlight {
    work: Work,
    origin: Origin,
    repair: Option<Repair>,
    carried: Option<Carried>,
    // What it is paid from.
    account: Option<Arc<Account>>,
    // How long its answer tells to wait, as far as that is known.
    delay: Duration,
    // The answer to entries that were over a quota.
    refused: Option<Box<Response>>,
    // An `acks=0` producer hears of a refused partition by the end of the connection.
    closes: bool,
    /// The version to encode the answer in.
    version: i16,
    /// Bytes of its frame.
    pub(crate) bytes: usize,
    _permit: Option<FramePermit>,
}

enum Work {
    Ready(Option<Outcome>),
    Waiting(BoxFuture<'static, Outcome>),
    Collecting(Collected),
}

/// What a request comes to on the wire.
pub(crate) enum Done {
    /// It has no answer.
    Nothing,
    /// A whole frame.
    Frame(Bytes),
    /// A frame that comes in pieces.
    Pieces(Passing),
}

/// Why a connection can't go on.
pub(crate) struct Broken {
    pub(crate) error: ErrorCode,
    pub(crate) words: String,
}

/// One request, its header read.
pub(crate) struct Incoming {
    pub(crate) head: RequestHead,
    pub(crate) body: Bytes,
    frame: Bytes,
    permit: Option<FramePermit>,
}

impl Incoming {
    /// # Errors
    /// The frame does not begin with a request header.
    pub(crate) fn parse(frame: Bytes, permit: Option<FramePermit>) -> Result<Self, Broken> {
        let (head, body) = RequestHead::parse(frame.clone()).map_err(|error| {
            Broken::new(ErrorCode::InvalidRequest, format!("malformed request header: {error}"))
        })?;
        Ok(Self { head, body, frame, permit })
    }

    /// Whether it may be handed to the engine while earlier ones of its kind are still there.
    pub(crate) const fn pipelines(&self) -> bool {
        self.head.api_key == Api::Produce.key()
    }
}

impl InFlight {
    /// Whether its answer is of use to nobody once its peer is gone.
    pub(crate) const fn is_cancellable(&self) -> bool {
        matches!(self.origin.api, Api::Fetch | Api::ShareFetch | Api::JoinGroup | Api::SyncGroup)
    }

    /// Whether a later produce request may go to the engine before this one is answered.
    pub(crate) const fn pipelines(&self) -> bool {
        matches!(self.origin.api, Api::Produce)
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, max_bytes: usize) -> Poll<Outcome> {
        if let Work::Waiting(future) = &mut self.work {
            match ready!(Pin::new(future).poll(cx)) {
                Outcome::Forward(forward) if self.is_read() => match Collected::begin(forward, max_bytes) {
                    Ok(collected) => self.work = Work::Collecting(collected),
                    Err(error) => return Poll::Ready(self.unreadable(&error)),
                },
                outcome => return Poll::Ready(outcome),
            }
        }
        match &mut self.work {
            // A second poll after the end can't happen: the caller takes the request out of its queue.
            Work::Ready(outcome) => Poll::Ready(outcome.take().unwrap_or(Outcome::Close)),
            Work::Waiting(_) => Poll::Pending,
            Work::Collecting(collected) => {
                let response = ready!(collected.poll(cx, self.origin.api, self.version, max_bytes));
                Poll::Ready(match response {
                    Ok(response) => Outcome::Reply(response),
                    Err(error) => self.unreadable(&error),
                })
            }
        }
    }

    /// Whether its answer has to be decoded, because something is added to it, taken out or counted.
    fn is_read(&self) -> bool {
        self.account.is_some()
            || self.carried.is_some()
            || self.repair.as_ref().is_some_and(|repair| !repair.is_nothing())
    }

    fn unreadable(&self, error: &io::Error) -> Outcome {
        let api = self.origin.api.name();
        tracing::warn!(client = %self.origin.caller.address, "no answer to {api} for a client: {error}");
        Outcome::Close
    }

    /// Which request this is, for a record about its failure.
    pub(crate) const fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl Broken {
    pub(crate) const fn new(error: ErrorCode, words: String) -> Self {
        Self { error, words }
    }
}

impl Pipeline<'_> {
    /// Takes a request as far as the engine. What waits is in the value returned.
    ///
    /// # Errors
    /// The request can't be answered in a form that its sender would understand.
    pub(crate) fn begin(&mut self, incoming: Incoming) -> Result<InFlight, Broken> {
        if let Some(words) = self.house.engine.suspended() {
            return Err(Broken::new(ErrorCode::BrokerNotAvailable, words));
        }
        let Incoming { head, body, frame, permit } = incoming;
        let bytes = frame.len();
        let unsupported =
            || Broken::new(ErrorCode::UnsupportedVersion, format!("{} is not served", describe(&head)));
        let api = Api::from_key(head.api_key).ok_or_else(unsupported)?;
        let snapshot = self.house.metadata.snapshot();
        let account = self.account(&head, &snapshot);
        if api == Api::ApiVersions {
            let answered = self.session.offer.answer(&head, body);
            let (response, version) = answered.map_err(|error| Broken::malformed(&head, &error))?;
            let ready = self.ready(&head, api, Outcome::Reply(response));
            return Ok(InFlight { version, bytes, account, ..ready });
        }
        if !api.supports(head.api_version) {
            return Err(unsupported());
        }
        let budget = DecodeBudget::Authenticated { max_request_bytes: self.house.config.max_request_bytes };
        let request = Request::decode(api, head.api_version, body, budget.limits())
            .map_err(|error| Broken::malformed(&head, &error))?;
        let delay = account
            .as_deref()
            .map_or(Duration::ZERO, |account| self.session.seat.arrive(account, api, bytes));
        let in_flight = match self.refused_at_once(&head, &request) {
            Some(response) => self.ready(&head, api, Outcome::Reply(response)),
            None => self.decide(&head, request, frame, &snapshot, account.as_deref()),
        };
        let delay = delay.max(in_flight.delay);
        Ok(InFlight { bytes, account, delay, _permit: permit, ..in_flight })
    }

    /// The quotas in force for a request, if there are any.
    fn account(&mut self, head: &RequestHead, snapshot: &Snapshot) -> Option<Arc<Account>> {
        let kept = self.house.quotas.as_ref()?;
        self.session.account(kept, snapshot.client_quotas(), head)
    }

    /// Takes the engine's outcome to the wire; nothing for a request without an answer.
    ///
    /// # Errors
    /// The connection has to be closed, for a reason worth recording if there is one.
    pub(crate) fn finish(&mut self, done: InFlight, outcome: Outcome) -> Result<Done, Option<Broken>> {
        let mut response = match outcome {
            Outcome::Close => return Err(None),
            Outcome::Forward(_) if done.closes => return Err(None),
            Outcome::Forward(forward) => {
                return Ok(Done::Pieces(Passing::new(forward, done.origin.api, done.version)));
            }
            Outcome::NoReply => {
                self.leave(done.account.as_deref(), done.origin.api, 0);
                if let Some(carried) = done.carried {
                    self.sums.produced(carried, None, &*self.house.topics);
                }
                return if done.closes { Err(None) } else { Ok(Done::Nothing) };
            }
            Outcome::Reply(_) if done.closes => return Err(None),
            Outcome::Reply(response) => response,
        };
        if response.api() != done.origin.api {
            let words = format!("the engine answered {} with another API", done.origin.api.name());
            return Err(Some(Broken::new(ErrorCode::UnknownServerError, words)));
        }
        if let Some(repair) = done.repair {
            let snapshot = self.house.metadata.snapshot();
            let session = &mut *self.session;
            let mut judge =
                self.house.judge(done.origin.api, snapshot.acls(), &session.subject, &mut session.cache);
            repair.apply(&mut response, &mut judge, &*self.house.topics);
            let decisions = judge.into_decisions();
            self.record_denials(&done.origin, &decisions);
        }
        if let Some(refused) = done.refused {
            merge(&mut response, *refused);
        }
        match (&response, done.carried) {
            (Response::Produce(answer), Some(carried)) => {
                self.sums.produced(carried, Some(answer), &*self.house.topics);
            }
            (Response::Fetch(answer), _) => self.sums.fetched(answer, &*self.house.topics),
            _ => {}
        }
        let Origin { api, caller, .. } = &done.origin;
        let encode = |response: &Response| {
            let encoded = response.encode_frame(caller.correlation_id, done.version);
            encoded.map(BytesMut::freeze).map_err(|error| {
                let words = format!("the answer to {} can't be encoded: {error}", api.name());
                Some(Broken::new(ErrorCode::UnknownServerError, words))
            })
        };
        let frame = encode(&response)?;
        let delay = done.delay.max(self.leave(done.account.as_deref(), *api, frame.len()));
        if delay.is_zero() {
            return Ok(Done::Frame(frame));
        }
        response.set_throttle_time_ms(rounded_up(delay));
        encode(&response).map(Done::Frame)
    }

    /// Pays for an answer; returns how long it tells to wait.
    fn leave(&mut self, account: Option<&Account>, api: Api, bytes: usize) -> Duration {
        account.map_or(Duration::ZERO, |account| self.session.seat.leave(account, api, bytes))
    }

    /// Requests that are answered without asking policy.
    fn refused_at_once(&mut self, head: &RequestHead, request: &Request) -> Option<Response> {
        let api = request.api();
        match api {
            Api::SaslHandshake => {
                let error_code = ErrorCode::IllegalSaslState.code();
                let mechanisms =
                    self.session.peer().mechanisms.iter().map(|known| known.name().into()).collect();
                Some(build!(SaslHandshakeResponse { error_code, mechanisms }).into())
            }
            Api::SaslAuthenticate => {
                let error_code = ErrorCode::IllegalSaslState.code();
                let words = "SaslAuthenticate request received after successful authentication";
                Some(
                    build!(SaslAuthenticateResponse { error_code, error_message: Some(words.into()) }).into(),
                )
            }
            _ if !self.session.offer.serves(api, head.api_version) => {
                Some(refuse(request, head.api_version, ErrorCode::UnsupportedVersion, None))
            }
            _ if is_over_tokens(api) && self.session.proof().delegation_token().is_some() => {
                let code = ErrorCode::DelegationTokenRequestNotAllowed;
                let origin = self.origin(head, api);
                let words = "who has logged in with a delegation token can't have any, or be told of them";
                self.events.push(origin.administration(code).message(words));
                Some(refuse_over_tokens(request, head.api_version, code, self.session.proof().principal()))
            }
            _ if is_administrative(api) && !self.house.audit.is_writable() => {
                // Recording it is also what finds out whether the audit trail can be written again.
                let words = "refused: the audit trail can't be written";
                let origin = self.origin(head, api);
                self.events.push(origin.administration(ErrorCode::KafkaStorageError).message(words));
                Some(refuse(request, head.api_version, ErrorCode::KafkaStorageError, Some(words)))
            }
            _ => None,
        }
    }

    fn decide(
        &mut self,
        head: &RequestHead,
        request: Request,
        frame: Bytes,
        snapshot: &Snapshot,
        account: Option<&Account>,
    ) -> InFlight {
        let api = request.api();
        let is_unanswered = matches!(&request, Request::Produce(produce) if produce.acks == 0);
        let session = &mut *self.session;
        let mut judge = self.house.judge(api, snapshot.acls(), &session.subject, &mut session.cache);
        let verdict = admit(request, head.api_version, &mut judge, &*self.house.topics);
        let decisions = judge.into_decisions();
        let origin = self.origin(head, api);
        self.record_denials(&origin, &decisions);
        match verdict {
            Verdict::Refused(response) => {
                let outcome = if is_unanswered { Outcome::Close } else { Outcome::Reply(response) };
                InFlight::new(origin, Work::Ready(Some(outcome)))
            }
            Verdict::Admitted(mut admitted, repair) => {
                admitted.remember_frame(frame);
                let closes = is_unanswered && !admitted.whole();
                let limited = account.map(|account| self.limit(account, &mut admitted, head, snapshot));
                let (delay, refused) = limited.unwrap_or_default();
                if admitted.mutates_nothing()
                    && let Some(refused) = refused
                {
                    let in_flight = InFlight::new(origin, Work::Ready(Some(Outcome::Reply(refused))));
                    return InFlight { repair: Some(repair), delay, ..in_flight };
                }
                let in_flight = self.call(origin, admitted, repair, decisions);
                InFlight { closes, delay, refused: refused.map(Box::new), ..in_flight }
            }
        }
    }

    /// Takes out of a request what quotas don't let through now. Returns how long to wait, and the answer to that.
    fn limit(
        &mut self,
        account: &Account,
        admitted: &mut Admitted,
        head: &RequestHead,
        snapshot: &Snapshot,
    ) -> (Duration, Option<Response>) {
        if let Some(most) = account.most_fetched() {
            admitted.limit_fetch(most);
        }
        let (delay, refused) = limit_mutations(account, admitted, head.api_version, snapshot);
        (self.session.seat.throttle(QuotaKey::ControllerMutationRate, delay), refused)
    }

    fn call(
        &mut self,
        origin: Origin,
        admitted: Admitted,
        repair: Repair,
        decisions: Vec<Decision>,
    ) -> InFlight {
        if is_administrative(origin.api) {
            let action = Action { origin: origin.clone(), repair, decisions };
            let future = action.perform(self.house, &mut *self.session.engine, admitted);
            return InFlight::new(origin, Work::Waiting(future));
        }
        if self.house.serves(origin.api) {
            let response = security_apis::describe(self.house, admitted);
            let in_flight = InFlight::new(origin, Work::Ready(Some(Outcome::Reply(response))));
            return InFlight { repair: Some(repair), ..in_flight };
        }
        let carried = match admitted.request() {
            Request::Produce(produce) => Some(Carried::by(produce)),
            _ => None,
        };
        let future = self.session.engine.call(origin.caller.clone(), admitted);
        InFlight { repair: Some(repair), carried, ..InFlight::new(origin, Work::Waiting(future)) }
    }

    fn ready(&mut self, head: &RequestHead, api: Api, outcome: Outcome) -> InFlight {
        InFlight::new(self.origin(head, api), Work::Ready(Some(outcome)))
    }

    fn origin(&mut self, head: &RequestHead, api: Api) -> Origin {
        Origin { caller: self.session.caller(head), method: self.session.proof().method(), api }
    }

    fn record_denials(&mut self, origin: &Origin, decisions: &[Decision]) {
        let mut denials = decisions.iter().filter(|decision| !decision.allowed);
        self.events.extend(denials.by_ref().take(DENIALS_MAX).map(|decision| origin.denied(decision)));
        let rest = denials.count();
        if let (true, Some(last)) = (rest > 0, self.events.last_mut()) {
            last.message = Some(format!("and {rest} more resources of this request were denied"));
        }
    }
}

impl InFlight {
    fn new(origin: Origin, work: Work) -> Self {
        let version = origin.caller.api_version;
        Self {
            work,
            origin,
            repair: None,
            carried: None,
            account: None,
            delay: Duration::ZERO,
            refused: None,
            closes: false,
            version,
            bytes: 0,
            _permit: None,
        }
    }
}

impl Broken {
    fn malformed(head: &RequestHead, error: &dyn std::error::Error) -> Self {
        Self::new(ErrorCode::InvalidRequest, format!("malformed {}: {error}", describe(head)))
    }
}

/// In milliseconds, and no less: a client that comes too early finds nobody listening.
fn rounded_up(delay: Duration) -> i32 {
    i32::try_from(delay.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
}
