//! What became of the entries of a request.

use std::borrow::Cow;
use std::collections::HashMap;

use schloss_wire::ErrorCode;
use serde_json::{Value, json};

use super::Change;

/// The errors of one entry.
#[derive(Default)]
pub(super) struct Errors {
    /// The first one, 0 for none.
    first: i16,
    /// The parts that failed, if it has parts.
    failed: Vec<Value>,
}

impl Errors {
    /// An entry that is done or fails as a whole.
    pub(super) const fn whole(code: i16) -> Self {
        Self { first: code, failed: Vec::new() }
    }

    /// Partitions of one topic, by index.
    pub(super) fn of_partitions(codes: impl IntoIterator<Item = (i32, i16)>) -> Self {
        codes.into_iter().fold(Self::default(), |errors, (partition, code)| {
            errors.and(code, || json!({ "partition": partition, "error": ErrorCode::describe(code) }))
        })
    }

    /// Partitions of several topics.
    pub(super) fn of_topics<'a>(codes: impl IntoIterator<Item = (&'a str, i32, i16)>) -> Self {
        codes.into_iter().fold(Self::default(), |errors, (topic, partition, code)| {
            errors.and(
                code,
                || json!({ "topic": topic, "partition": partition, "error": ErrorCode::describe(code) }),
            )
        })
    }

    /// Adds the error of one more part.
    pub(super) fn and(mut self, code: i16, part: impl FnOnce() -> Value) -> Self {
        if code != ErrorCode::None.code() {
            self.failed.push(part());
            self.first = self.or(code);
        }
        self
    }

    /// Lets an error of the request as a whole go before those of its parts.
    pub(super) fn under(mut self, code: i16) -> Self {
        self.first = Self::whole(code).or(self.first);
        self
    }

    const fn or(&self, code: i16) -> i16 {
        if self.first == 0 { code } else { self.first }
    }

    fn merge(&mut self, other: Self) {
        self.first = self.or(other.first);
        self.failed.extend(other.failed);
    }
}

/// What the answer says of one entry.
pub(super) struct Answer<'a> {
    resource_type: &'static str,
    name: Cow<'a, str>,
    errors: Errors,
}

impl<'a> Answer<'a> {
    pub(super) fn new(resource_type: &'static str, name: impl Into<Cow<'a, str>>, errors: Errors) -> Self {
        Self { resource_type, name: name.into(), errors }
    }

    pub(super) fn topic(name: &'a str, errors: Errors) -> Self {
        Self::new("Topic", name, errors)
    }
}

impl Change {
    fn settle(&mut self, errors: &Errors) {
        self.error = errors.first;
        if let (false, Value::Object(what)) = (errors.failed.is_empty(), &mut self.what) {
            what.insert("failed".to_owned(), json!(errors.failed));
        }
    }
}

/// Gives every change what the answer says of it. One that the answer is silent about stays as it is.
pub(super) fn settle_each<'a>(changes: &mut [Change], answers: impl IntoIterator<Item = Answer<'a>>) {
    let mut errors: HashMap<(&str, Cow<'a, str>), Errors> = HashMap::new();
    for answer in answers {
        errors.entry((answer.resource_type, answer.name)).or_default().merge(answer.errors);
    }
    for change in changes {
        if let Some(errors) = errors.get(&(change.resource_type, Cow::Owned(change.name.clone()))) {
            change.settle(errors);
        }
    }
}

/// Gives every change the same.
pub(super) fn settle_all(changes: &mut [Change], errors: &Errors) {
    for change in changes {
        change.settle(errors);
    }
}

/// If the request failed as a whole, every change did.
pub(super) fn fail_all(changes: &mut [Change], code: i16) {
    if code != ErrorCode::None.code() {
        settle_all(changes, &Errors::whole(code));
    }
}
