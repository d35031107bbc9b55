//! What producers ask of the coordinator.

use std::sync::Arc;
use std::time::Duration;

use schloss_log::Ticket;
use schloss_wire::{ErrorCode, Uuid};
use tokio::time::timeout;

use super::coordinator::{Inner, Known, State, Transactions};
use super::id::check_id;
use super::transaction::{
    Claimant, EndDecision, Expected, InitDecision, Place, Transaction, TransactionState,
};
use crate::producers::TransactionVersion;
use crate::reply::now_ms;

/// How long the answer to an end waits for the markers. They follow in any case; but a producer that begins its
/// next transaction before would only be told to come back.
const MARKERS_PATIENCE: Duration = Duration::from_secs(5);

/// A producer id and epoch.
pub(crate) type ProducerEpoch = (i64, i16);

/// What was begun, and is answered when it is on disk.
enum Begun {
    /// Asks again with a producer id that was never given out.
    NeedsProducerId,
    /// Nothing is left to do but to answer.
    Made(Option<Ticket>, ProducerEpoch),
    /// The transaction ends now.
    Ending(Ticket, ProducerEpoch),
}

impl Transactions {
    /// Gives a producer its id and a new epoch, and fences whoever had them before. A transaction that is open
    /// is aborted first: the producer is told to come back.
    pub(crate) async fn init(
        &self,
        id: &str,
        timeout_ms: i32,
        expected: Expected,
    ) -> Result<ProducerEpoch, ErrorCode> {
        check_id(id)?;
        let longest = self.inner.config.max_timeout;
        let asked = u64::try_from(timeout_ms).ok().filter(|asked| *asked > 0).map(Duration::from_millis);
        if asked.is_none_or(|asked| asked > longest) {
            return Err(ErrorCode::InvalidTransactionTimeout);
        }
        let id: Arc<str> = Arc::from(id);
        let mut fresh = None;
        loop {
            match self.inner.start_init(&id, timeout_ms, expected, fresh)? {
                Begun::NeedsProducerId => fresh = Some(self.inner.fresh_producer_id().await?),
                Begun::Made(ticket, producer) => return self.inner.answer(ticket, producer).await,
                Begun::Ending(ticket, _) => {
                    let _goes_on = self.inner.spawn_completion(&id);
                    self.inner.durable(ticket).await?;
                    return Err(ErrorCode::ConcurrentTransactions);
                }
            }
        }
    }

    /// Makes partitions and groups part of the producer's transaction, which begins if it is not open yet. It is
    /// on disk when the ticket, if there is one, was waited for.
    pub(crate) fn add(
        &self,
        producer: Claimant<'_>,
        partitions: &[(Uuid, i32)],
        groups: &[Arc<str>],
    ) -> Result<Option<Ticket>, ErrorCode> {
        check_id(producer.transactional_id)?;
        let mut state = self.inner.state.lock();
        let (id, known) = state.get(producer.transactional_id)?;
        let Some(change) = known.transaction.decide_add(producer, partitions, groups)? else {
            return Ok(known.ticket);
        };
        let new_groups = groups.iter().filter(|group| !known.transaction.groups.contains(*group));
        if known.transaction.groups.len() + new_groups.count() > self.inner.config.max_groups_per_transaction
        {
            return Err(ErrorCode::PolicyViolation);
        }
        self.inner.change(&mut state, &id, change, now_ms()).map(Some)
    }

    /// As [`add`](Self::add), and waits until it is on disk.
    pub(crate) async fn add_durably(
        &self,
        producer: Claimant<'_>,
        partitions: &[(Uuid, i32)],
        groups: &[Arc<str>],
    ) -> Result<(), ErrorCode> {
        match self.add(producer, partitions, groups)? {
            Some(ticket) => self.inner.durable(ticket).await,
            None => Ok(()),
        }
    }

    /// Whether this takes part in the open transaction of this producer.
    pub(crate) fn verify(&self, producer: Claimant<'_>, place: &Place) -> Result<(), ErrorCode> {
        check_id(producer.transactional_id)?;
        let state = self.inner.state.lock();
        state.get(producer.transactional_id)?.1.transaction.verify(producer, place)
    }

    /// Ends the producer's transaction; answers when the end is decided for good, with the id and epoch that
    /// the producer goes on with. Usually the markers are written by then.
    pub(crate) async fn end(
        &self,
        producer: Claimant<'_>,
        commit: bool,
        version: TransactionVersion,
    ) -> Result<ProducerEpoch, ErrorCode> {
        check_id(producer.transactional_id)?;
        let mut fresh = None;
        loop {
            match self.inner.start_end(producer, commit, version, fresh)? {
                Begun::NeedsProducerId => fresh = Some(self.inner.fresh_producer_id().await?),
                Begun::Made(ticket, answer) => return self.inner.answer(ticket, answer).await,
                Begun::Ending(ticket, answer) => {
                    let markers = self.inner.spawn_completion(&Arc::from(producer.transactional_id));
                    self.inner.durable(ticket).await?;
                    let _late = timeout(MARKERS_PATIENCE, markers).await;
                    return Ok(answer);
                }
            }
        }
    }
}

impl Inner {
    fn start_init(
        self: &Arc<Self>,
        id: &Arc<str>,
        timeout_ms: i32,
        expected: Expected,
        fresh: Option<i64>,
    ) -> Result<Begun, ErrorCode> {
        let mut state = self.state.lock();
        let decision = match state.known.get(id) {
            Some(known) => known.transaction.decide_init(expected, timeout_ms, fresh)?,
            None if state.known.len() >= self.config.max_ids => return Err(ErrorCode::PolicyViolation),
            None => Transaction::decide_first_init(timeout_ms, fresh),
        };
        let (change, aborts) = match decision {
            InitDecision::NeedsProducerId => return Ok(Begun::NeedsProducerId),
            InitDecision::Change(change) => (change, false),
            InitDecision::Abort(change) => (change, true),
        };
        let ticket = self.change(&mut state, id, change, now_ms())?;
        let producer = state.get(id)?.1.transaction.after_completion();
        Ok(if aborts { Begun::Ending(ticket, producer) } else { Begun::Made(Some(ticket), producer) })
    }

    fn start_end(
        self: &Arc<Self>,
        producer: Claimant<'_>,
        commit: bool,
        version: TransactionVersion,
        fresh: Option<i64>,
    ) -> Result<Begun, ErrorCode> {
        let mut state = self.state.lock();
        let (id, known) = state.get(producer.transactional_id)?;
        let decision = match version {
            TransactionVersion::V1 => known.transaction.decide_end_v1(producer, commit)?,
            TransactionVersion::V2 => known.transaction.decide_end_v2(producer, commit, fresh)?,
        };
        match decision {
            EndDecision::NeedsProducerId => Ok(Begun::NeedsProducerId),
            EndDecision::Done => Ok(Begun::Made(known.ticket, known.transaction.after_completion())),
            EndDecision::Change(change) => {
                let ticket = self.change(&mut state, &id, change, now_ms())?;
                Ok(Begun::Ending(ticket, state.get(&id)?.1.transaction.after_completion()))
            }
        }
    }

    /// Aborts a transaction that was open for too long; false if it is not open any more.
    pub(super) fn start_fence(self: &Arc<Self>, state: &mut State, id: &Arc<str>) -> Result<bool, ErrorCode> {
        let (_, known) = state.get(id)?;
        if known.transaction.state != TransactionState::Ongoing {
            return Ok(false);
        }
        let change = known.transaction.fence();
        self.change(state, id, change, now_ms()).map(|_| true)
    }

    async fn answer(
        &self,
        ticket: Option<Ticket>,
        producer: ProducerEpoch,
    ) -> Result<ProducerEpoch, ErrorCode> {
        if let Some(ticket) = ticket {
            self.durable(ticket).await?;
        }
        Ok(producer)
    }

    async fn fresh_producer_id(&self) -> Result<i64, ErrorCode> {
        self.metadata.allocate_producer_id().await.map_err(|error| {
            tracing::error!(%error, "cannot reserve producer ids");
            error.code()
        })
    }
}

impl State {
    /// What is known of a transactional id; a producer can't have got its id here if it is nothing.
    pub(super) fn get(&self, id: &str) -> Result<(Arc<str>, &Known), ErrorCode> {
        let found = self.known.get_key_value(id).ok_or(ErrorCode::InvalidProducerIdMapping)?;
        Ok((Arc::clone(found.0), found.1))
    }
}
