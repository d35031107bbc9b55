//! Less of a request that was admitted. Nothing here can add to it.

use std::mem;

use schloss_wire::messages::create_partitions_request::CreatePartitionsTopic;
use schloss_wire::messages::create_topics_request::CreatableTopic;
use schloss_wire::messages::delete_topics_request::DeleteTopicState;
use schloss_wire::messages::{CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest};
use schloss_wire::{Request, StrBytes, build};

use crate::Admitted;

/// What one entry of an administrative request makes or deletes.
#[derive(Clone, Copy, Debug)]
pub enum Mutation<'a> {
    /// A topic is to be made.
    Create(&'a CreatableTopic),
    /// A topic is to have more partitions.
    Grow(&'a CreatePartitionsTopic),
    /// A topic is to be deleted, by its name.
    DeleteNamed(&'a StrBytes),
    /// A topic is to be deleted, by its name or its id.
    Delete(&'a DeleteTopicState),
}

impl Admitted {
    /// Takes out the entries that make or delete topics or partitions and that `keep` does not want. Returns a
    /// request of those alone, to be refused; nothing if none was taken out.
    pub fn split_off(&mut self, mut keep: impl FnMut(Mutation<'_>) -> bool) -> Option<Request> {
        let taken: Request = match self.request_mut() {
            Request::CreateTopics(request) => {
                let topics = take(&mut request.topics, |topic| keep(Mutation::Create(topic)))?;
                build!(CreateTopicsRequest { topics }).into()
            }
            Request::CreatePartitions(request) => {
                let topics = take(&mut request.topics, |topic| keep(Mutation::Grow(topic)))?;
                build!(CreatePartitionsRequest { topics }).into()
            }
            // A version has one of the two lists; the other one is empty.
            Request::DeleteTopics(request) => {
                let topic_names = take(&mut request.topic_names, |name| keep(Mutation::DeleteNamed(name)));
                let topics = take(&mut request.topics, |state| keep(Mutation::Delete(state)));
                if topic_names.is_none() && topics.is_none() {
                    return None;
                }
                let (topic_names, topics) = (topic_names.unwrap_or_default(), topics.unwrap_or_default());
                build!(DeleteTopicsRequest { topic_names, topics }).into()
            }
            _ => return None,
        };
        self.is_narrowed();
        Some(taken)
    }

    /// Whether [`Admitted::split_off`] has left nothing.
    #[must_use]
    pub fn mutates_nothing(&self) -> bool {
        match self.request() {
            Request::CreateTopics(request) => request.topics.is_empty(),
            Request::CreatePartitions(request) => request.topics.is_empty(),
            Request::DeleteTopics(request) => request.topic_names.is_empty() && request.topics.is_empty(),
            _ => false,
        }
    }

    /// Lets a fetch ask for no more than so many bytes in all.
    pub fn limit_fetch(&mut self, most: i32) {
        let narrowed = match self.request_mut() {
            Request::Fetch(request) => lower(&mut request.max_bytes, &mut request.min_bytes, most),
            Request::ShareFetch(request) => lower(&mut request.max_bytes, &mut request.min_bytes, most),
            _ => false,
        };
        if narrowed {
            self.is_narrowed();
        }
    }
}

/// Takes out what is not kept; nothing if all is.
fn take<T>(items: &mut Vec<T>, mut keep: impl FnMut(&T) -> bool) -> Option<Vec<T>> {
    let taken: Vec<T> = items.extract_if(.., |item| !keep(item)).collect();
    (!taken.is_empty()).then_some(taken)
}

/// Lowers a bound, and what is waited for with it: more than the bound never comes. Whether it was lowered.
fn lower(max_bytes: &mut i32, min_bytes: &mut i32, most: i32) -> bool {
    let before = mem::replace(max_bytes, (*max_bytes).min(most));
    *min_bytes = (*min_bytes).min(*max_bytes);
    before > most
}
