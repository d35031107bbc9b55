//! Audit events: written, rotated and queried.
//!
//! Every event becomes one line: a [CloudEvents 1.0](https://github.com/cloudevents/spec) envelope around
//! data shaped like Confluent's audit schema, in `audit-<UTC time>-<number>.jsonl`. One thread writes; it is
//! fed through a bounded queue, writes what has come in together, and shares one flush among all that wait.
//!
//! [`Audit::record`] is for what may be told a moment later, [`Audit::record_durably`] for what must be on
//! disk before an answer goes out, [`Audit::try_record`] for code that can't wait.

mod audit;
mod cloud_event;
mod error;
mod event;
mod files;
mod id;
mod lines;
mod name;
mod query;
mod sink;
mod tail;
mod text;
mod writer;

pub use audit::{Audit, AuditConfig, QUEUE_EVENTS_MAX};
pub use cloud_event::{
    AuthenticationInfo, AuthenticationMetadata, AuthorizationInfo, CloudEvent, Data, MAX_CHANGE_BYTES,
    RequestInfo, ResultInfo,
};
pub use error::AuditError;
pub use event::{Event, EventKind, MAX_TEXT_BYTES, SUCCESS, Traffic};
pub use query::{DecisionFilter, Matches, Query, Record, query};
pub use sink::Sink;
pub use tail::{TAIL_INTERVAL, Tail};
