//! The loop of an authenticated connection: one task, one buffer, answers in order.
//!
//! Everything that can move is driven by one poll function. Requests are taken off the buffer and handed on as
//! far as the rules allow, answers that are ready are collected, and only then is anything written: so many
//! small requests share one write, and no request needs a task of its own.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use schloss_audit::Event;
use schloss_wire::ErrorCode;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_rustls::server::TlsStream;

use crate::audit_trail::{session_broken, with_session};
use crate::frames::{FrameReader, Split};
use crate::house::House;
use crate::memory::FramePermit;
use crate::outbox::Outbox;
use crate::passing::Passing;
use crate::pipeline::{Broken, Done, InFlight, Incoming, Pipeline};
use crate::quota::Paused;
use crate::reauth::Reauth;
use crate::session::Session;
use crate::socket::Socket;
use crate::traffic::TrafficSums;

/// How often the clocks of a connection are looked at: often enough for its shortest time limit.
const CLOCK_MIN: Duration = Duration::from_millis(10);
const CLOCK_MAX: Duration = Duration::from_secs(5);

pub(crate) struct Serving {
    house: Arc<House>,
    stream: TlsStream<Socket>,
    session: Session,
    reader: FrameReader,
    outbox: Outbox,
    // Off the buffer, but not yet allowed to start.
    waiting: Option<Incoming>,
    // The memory that the frame at the front of the buffer waits for.
    memory: Option<BoxFuture<'static, Option<FramePermit>>>,
    in_flight: VecDeque<InFlight>,
    in_flight_bytes: usize,
    // The answer before those in flight, of which a part is out.
    passing: Option<Passing>,
    // Its client proves itself again.
    reauth: Reauth,
    events: Vec<Event>,
    sums: TrafficSums,
    clock: Interval,
    closing: BoxFuture<'static, ()>,
    // Ends when users or accounts change.
    identities: BoxFuture<'static, ()>,
    was_active: bool,
    last_active: Instant,
    ending: Option<Ending>,
    // No further answer goes out.
    muted: bool,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ending {
    /// Answers in flight are still written.
    Orderly,
    /// Requests in flight still end, but there is nobody to write to.
    Deaf,
}

enum Step {
    Record,
    End,
}

impl Serving {
    pub(crate) fn new(
        house: &Arc<House>,
        stream: TlsStream<Socket>,
        mut reader: FrameReader,
        session: Session,
    ) -> Self {
        let config = &house.config;
        reader.set_max_bytes(config.max_request_bytes);
        let shortest =
            [config.idle_timeout, config.frame_timeout, config.write_timeout, config.audit_summary_interval]
                .into_iter()
                .min()
                .unwrap_or(CLOCK_MAX);
        let period = (shortest / 4).clamp(CLOCK_MIN, CLOCK_MAX);
        let mut clock = interval_at(Instant::now() + period, period);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            house: Arc::clone(house),
            stream,
            session,
            reader,
            outbox: Outbox::default(),
            waiting: None,
            memory: None,
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            passing: None,
            reauth: Reauth::default(),
            events: Vec::new(),
            sums: TrafficSums::new(),
            clock,
            closing: Box::pin(house.closing()),
            identities: house.identity_change(),
            was_active: false,
            last_active: Instant::now(),
            ending: None,
            muted: false,
        }
    }

    /// Serves until the connection ends. Safe to drop and to unwind out of; [`Serving::close`] is due after it
    /// in any case.
    pub(crate) async fn run(&mut self) {
        // Much may have happened since its proof was looked at.
        self.check_standing(Instant::now());
        loop {
            let step = poll_fn(|cx| self.poll_step(cx)).await;
            for event in std::mem::take(&mut self.events) {
                self.house.audit.record(event).await;
            }
            if matches!(step, Step::End) {
                return;
            }
        }
    }

    /// Records what is left to be recorded and takes leave. `panicked` is what a panic said.
    pub(crate) async fn close(mut self, panicked: Option<String>) {
        if let Some(words) = panicked {
            let words = format!("internal error while serving a request, the connection is closed: {words}");
            let error = ErrorCode::UnknownServerError;
            let event = match self.in_flight.front() {
                Some(front) => front.origin().broken(error, words),
                None => session_broken(&self.session, "kafka.Connection", error, words),
            };
            self.events.push(event);
        }
        self.take_sums();
        for event in std::mem::take(&mut self.events) {
            self.house.audit.record(event).await;
        }
        crate::connection::take_leave(&mut self.stream).await;
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        self.session.seat.begin_work();
        let step = self.poll_work(cx);
        self.session.seat.end_work();
        step
    }

    fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        // First, since a peer that always has something to read would keep the clocks from being looked at.
        while self.clock.poll_tick(cx).is_ready() {
            self.check_times(Instant::now());
        }
        loop {
            // Both, and again: an answer that is ready may let the next request start.
            while self.start_some() | self.finish_some(cx) | self.renew_some(cx) {}
            if !self.events.is_empty() {
                return Poll::Ready(Step::Record);
            }
            let was_full = self.outbox.is_full();
            self.write(cx);
            if was_full && !self.outbox.is_full() {
                // What waited for room goes on, though nothing else has come.
                continue;
            }
            if let Some(ending) = self.ending
                && (self.passing.is_none() || ending == Ending::Deaf)
                && self.in_flight.is_empty()
                && !self.reauth.is_at_work()
                && (ending == Ending::Deaf || self.outbox.is_empty())
            {
                return Poll::Ready(Step::End);
            }
            if !self.fill(cx) && !self.hear_closing(cx) && !self.hear_identities(cx) {
                return Poll::Pending;
            }
        }
    }

    /// Starts the requests that may start; whether there was one.
    fn start_some(&mut self) -> bool {
        let mut any = false;
        while let Some(incoming) = self.next_to_start() {
            any = true;
            self.was_active = true;
            let now = Instant::now();
            if self.reauth.takes(&incoming, &self.session.standing, now) {
                self.reauth.begin(&self.house, &self.session, incoming);
                continue;
            }
            self.events.extend(self.session.follow());
            let (snapshot, observes) =
                (self.house.metadata.snapshot(), self.house.config.insecure_observe_only);
            if let Some(words) = self.session.objection(now, &snapshot, observes) {
                self.break_off(Some(Broken::new(ErrorCode::SaslAuthenticationFailed, words)));
                continue;
            }
            match self.pipeline().begin(incoming) {
                Ok(in_flight) => {
                    self.in_flight_bytes += in_flight.bytes;
                    self.in_flight.push_back(in_flight);
                }
                Err(broken) => self.break_off(Some(broken)),
            }
        }
        any
    }

    fn next_to_start(&mut self) -> Option<Incoming> {
        if self.ending.is_some()
            || self.outbox.is_full()
            || self.session.seat.is_paused()
            || self.reauth.is_at_work()
        {
            return None;
        }
        if self.waiting.is_none() && self.has_room() && self.memory.is_none() {
            match self.take_off_buffer() {
                Ok(incoming) => self.waiting = incoming,
                Err(broken) => self.break_off(Some(broken)),
            }
        }
        // As in Kafka one request of a connection is served at a time. Produce requests may follow each other
        // into the log at once: their order is settled there, only their durability is waited for.
        let (in_flight, passing, room) = (&self.in_flight, &self.passing, self.has_room());
        self.waiting.take_if(|next| {
            (in_flight.is_empty() && passing.is_none())
                || (room && next.pipelines() && in_flight.iter().all(InFlight::pipelines))
        })
    }

    fn take_off_buffer(&mut self) -> Result<Option<Incoming>, Broken> {
        match self.reader.split(&self.house.memory) {
            Ok(Split::Frame(frame, permit)) => Incoming::parse(frame, permit).map(Some),
            Ok(Split::Incomplete) => Ok(None),
            Ok(Split::NoMemory(bytes)) => {
                self.memory = Some(Box::pin(self.house.memory.take(bytes)));
                Ok(None)
            }
            Err(bad) => Err(Broken::new(ErrorCode::InvalidRequest, bad.to_string())),
        }
    }

    fn has_room(&self) -> bool {
        let config = &self.house.config;
        self.in_flight.len() < config.max_in_flight && self.in_flight_bytes < config.max_in_flight_bytes
    }

    /// Takes the answers at the front of the queue that are ready; whether there was one.
    fn finish_some(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = self.pass_some(cx);
        while self.passing.is_none()
            && let Some(front) = self.in_flight.front_mut()
        {
            let Poll::Ready(outcome) = front.poll(cx, self.house.config.max_request_bytes) else { break };
            let Some(done) = self.in_flight.pop_front() else { break };
            any = true;
            self.was_active = true;
            self.in_flight_bytes -= done.bytes;
            match self.pipeline().finish(done, outcome) {
                Ok(_) if self.muted => {}
                Ok(Done::Nothing) => {}
                Ok(Done::Frame(frame)) => self.outbox.push(frame),
                Ok(Done::Pieces(passing)) => {
                    self.passing = Some(passing);
                    self.pass_some(cx);
                }
                Err(broken) => {
                    // What came after it is not answered, as if the connection had ended right there.
                    self.muted = true;
                    self.break_off(broken);
                }
            }
        }
        any
    }

    /// Takes the answer to a client that proves itself again, if it is ready; whether it was.
    fn renew_some(&mut self, cx: &mut Context<'_>) -> bool {
        let Poll::Ready(step) = self.reauth.poll(cx, &mut self.session) else { return false };
        self.was_active = true;
        self.events.extend(step.event);
        if let Some(answer) = step.answer
            && !self.muted
        {
            self.outbox.push(answer);
        }
        if step.is_over {
            self.break_off(None);
        }
        true
    }

    /// Takes as much as there is of an answer that comes in pieces; whether there was any.
    fn pass_some(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        while !self.outbox.is_full()
            && let Some(passing) = &mut self.passing
        {
            let Poll::Ready(next) = passing.poll(cx, &mut self.sums, &*self.house.topics) else { break };
            any = true;
            self.was_active = true;
            match next {
                Ok(Some(bytes)) => self.outbox.push(bytes),
                Ok(None) => self.passing = None,
                Err(words) => {
                    // A part of the frame is out: nothing can follow it.
                    self.break_off(Some(Broken::new(ErrorCode::NetworkException, words)));
                    self.peer_is_gone();
                }
            }
        }
        any
    }

    fn write(&mut self, cx: &mut Context<'_>) {
        if self.ending == Some(Ending::Deaf) {
            return;
        }
        if let Poll::Ready(Err(_)) = self.outbox.poll_drain(&mut self.stream, cx) {
            self.peer_is_gone();
        }
    }

    /// Reads if there is room for more; whether anything came.
    fn fill(&mut self, cx: &mut Context<'_>) -> bool {
        match self.session.seat.poll_pause(cx) {
            Paused::No => {}
            Paused::Still => return false,
            Paused::NoLonger => {
                self.resume();
                return true;
            }
        }
        if self.ending.is_some() || self.waiting.is_some() || self.outbox.is_full() || !self.has_room() {
            return false;
        }
        if let Some(memory) = &mut self.memory {
            let Poll::Ready(permit) = memory.as_mut().poll(cx) else { return false };
            self.memory = None;
            self.reader.grant(permit);
        }
        match self.reader.poll_fill(&mut self.stream, cx) {
            Poll::Pending => return false,
            Poll::Ready(Ok(0)) => {
                self.truncated();
                // It may still read: answers to what it sent are written.
                self.drop_cancellable();
                self.ending = Some(Ending::Orderly);
            }
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(_)) => {
                self.truncated();
                self.peer_is_gone();
            }
        }
        true
    }

    /// Reading goes on after a pause.
    fn resume(&mut self) {
        self.reader.restart_clock();
        self.was_active = true;
    }

    /// A pause may be long: it ends when the peer goes away, and when a quota is raised.
    fn check_pause(&mut self) {
        if self.stream.get_ref().0.is_read_closed() {
            self.session.seat.pause_no_more();
            self.resume();
        } else if let Some(kept) = &self.house.quotas {
            self.session.reconsider(kept, self.house.metadata.snapshot().client_quotas());
        }
    }

    /// Whether the gate has begun to close.
    fn hear_closing(&mut self, cx: &mut Context<'_>) -> bool {
        let now = self.ending.is_none() && self.closing.as_mut().poll(cx).is_ready();
        if now {
            self.drop_cancellable();
            self.ending = Some(Ending::Orderly);
        }
        now
    }

    fn check_times(&mut self, now: Instant) {
        let house = Arc::clone(&self.house);
        let config = &house.config;
        let interval = config.audit_summary_interval;
        if self.sums.is_due(now, interval) || self.session.seat.is_due(now, interval) {
            self.take_sums();
        }
        if std::mem::take(&mut self.was_active) {
            self.last_active = now;
        }
        if self.outbox.is_stalled(now, config.write_timeout) && self.ending != Some(Ending::Deaf) {
            let words = format!("the client took no answer for {:?}", config.write_timeout);
            self.break_off(Some(Broken::new(ErrorCode::RequestTimedOut, words)));
            self.peer_is_gone();
        }
        if self.ending.is_some() {
            return;
        }
        self.check_standing(now);
        if self.ending.is_some() {
            return;
        }
        if self.session.seat.is_paused() {
            return self.check_pause();
        }
        if self.memory.is_none() && self.reader.is_overdue(now, config.frame_timeout) {
            let words = format!("a request was not complete within {:?}", config.frame_timeout);
            self.break_off(Some(Broken::new(ErrorCode::RequestTimedOut, words)));
        } else if self.in_flight.is_empty()
            && self.passing.is_none()
            && !self.reauth.is_at_work()
            && self.outbox.is_empty()
            && !self.reader.is_in_a_frame()
        {
            let idle = now.saturating_duration_since(self.last_active);
            if idle > config.idle_timeout {
                self.ending = Some(Ending::Orderly);
            } else if idle > CLOCK_MAX {
                self.reader.release();
            }
        }
    }

    /// Ends the connection if its client could not have it now.
    fn check_standing(&mut self, now: Instant) {
        self.events.extend(self.session.follow());
        let (snapshot, observes) = (self.house.metadata.snapshot(), self.house.config.insecure_observe_only);
        let objection = self.session.lasting_objection(now, &snapshot, observes);
        if let Some(words) = objection {
            self.break_off(Some(Broken::new(ErrorCode::SaslAuthenticationFailed, words)));
            // What waits for new records would keep it open.
            self.drop_cancellable();
        }
    }

    /// Whether users or accounts have changed.
    fn hear_identities(&mut self, cx: &mut Context<'_>) -> bool {
        if self.ending.is_some() || self.identities.as_mut().poll(cx).is_pending() {
            return false;
        }
        self.identities = self.house.identity_change();
        self.check_standing(Instant::now());
        true
    }

    /// Ends the connection after the answers that are due, with a record of why.
    fn break_off(&mut self, broken: Option<Broken>) {
        if let Some(Broken { error, words }) = broken {
            tracing::warn!(
                client = %self.session.peer().address,
                principal = %self.session.proof().principal(),
                %error,
                "closing the connection: {words}"
            );
            self.events.push(session_broken(&self.session, "kafka.Connection", error, words));
        }
        self.waiting = None;
        self.ending.get_or_insert(Ending::Orderly);
    }

    fn peer_is_gone(&mut self) {
        self.waiting = None;
        self.passing = None;
        self.drop_cancellable();
        self.ending = Some(Ending::Deaf);
    }

    fn truncated(&mut self) {
        if self.reader.is_in_a_frame() {
            let words = "the connection ended in the middle of a request".to_owned();
            self.break_off(Some(Broken::new(ErrorCode::InvalidRequest, words)));
        }
    }

    fn drop_cancellable(&mut self) {
        self.in_flight.retain(|request| !request.is_cancellable());
        self.in_flight_bytes = self.in_flight.iter().map(|request| request.bytes).sum();
    }

    fn take_sums(&mut self) {
        let sums = self.sums.take().into_iter().chain(self.session.seat.take_sums());
        self.events.extend(sums.map(|event| with_session(&self.session, event)));
    }

    fn pipeline(&mut self) -> Pipeline<'_> {
        Pipeline {
            house: &self.house,
            session: &mut self.session,
            events: &mut self.events,
            sums: &mut self.sums,
        }
    }
}
