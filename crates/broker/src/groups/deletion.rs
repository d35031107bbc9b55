//! Offsets of single partitions that an administrator deletes.

use std::sync::Arc;

use schloss_log::Ticket;
use schloss_wire::{ErrorCode, Uuid};

use super::coordinator::{Group, Groups, Inner, State};
use super::record::encode_forget;
use super::store::failed;

/// A topic as the request has it, and the partitions whose offsets are to go.
pub(crate) struct ForgottenTopic {
    pub(crate) name: Arc<str>,
    pub(crate) id: Uuid,
    pub(crate) partitions: Vec<i32>,
}

impl Groups {
    /// Deletes offsets, those that transactions hold as well, and answers when that is on disk: one result for
    /// each topic. The offsets of a topic that members of the group are subscribed to stay.
    ///
    /// # Errors
    /// There is no such group, or it has members of another kind than consumers.
    pub(crate) async fn delete_offsets(
        &self,
        group_id: &str,
        topics: &[ForgottenTopic],
    ) -> Result<Vec<Result<(), ErrorCode>>, ErrorCode> {
        let (results, ticket) = {
            let _turn = self.inner.offsets_turn.lock().await;
            self.inner.start_delete_offsets(group_id, topics)?
        };
        if let Some(ticket) = ticket {
            self.inner.durable(ticket).await?;
        }
        Ok(results)
    }
}

type Results = Vec<Result<(), ErrorCode>>;

impl Inner {
    /// The caller holds the turn.
    fn start_delete_offsets(
        self: &Arc<Self>,
        group_id: &str,
        topics: &[ForgottenTopic],
    ) -> Result<(Results, Option<Ticket>), ErrorCode> {
        let mut state = self.state.lock();
        let group = state.groups.get(group_id).ok_or(ErrorCode::GroupIdNotFound)?;
        let subscribed = group.subscriptions()?;
        let results: Results = topics
            .iter()
            .map(|topic| match subscribed.contains(&topic.name) {
                true => Err(ErrorCode::GroupSubscribedToTopic),
                false => Ok(()),
            })
            .collect();
        let allowed =
            topics.iter().zip(&results).filter(|(_, result)| result.is_ok()).map(|(topic, _)| topic);
        let gone: Vec<(Uuid, i32)> = allowed
            .flat_map(|topic| topic.partitions.iter().map(|partition| (topic.id, *partition)))
            .filter(|(topic, partition)| group.has_offset(*topic, *partition))
            .collect();
        if gone.is_empty() {
            return Ok((results, None));
        }
        let entry = encode_forget(group_id, &gone).map_err(|error| failed(&error))?;
        let ticket = self.append(&[entry])?;
        state.forget(group_id, &gone, Some(ticket));
        self.operate(&mut state, group_id, |_, _| ());
        Ok((results, Some(ticket)))
    }
}

impl Group {
    fn has_offset(&self, topic: Uuid, partition: i32) -> bool {
        self.offsets.get(topic, partition).is_some() || self.pending.holds(topic, partition)
    }
}

impl State {
    pub(super) fn forget(&mut self, group_id: &str, partitions: &[(Uuid, i32)], ticket: Option<Ticket>) {
        self.keep(group_id, ticket, |group| {
            for &(topic, partition) in partitions {
                group.offsets.remove(topic, partition);
                group.pending.forget(topic, partition);
            }
        });
    }
}
