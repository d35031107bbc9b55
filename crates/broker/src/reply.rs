//! Small helpers to answer with.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use schloss_gate::Outcome;
use schloss_wire::{Response, StrBytes};

/// An answer that is known at once.
pub(crate) fn ready(response: impl Into<Response>) -> BoxFuture<'static, Outcome> {
    std::future::ready(Outcome::Reply(response.into())).boxed()
}

/// An answer that is worked out later.
pub(crate) fn later<R: Into<Response>>(
    answer: impl Future<Output = R> + Send + 'static,
) -> BoxFuture<'static, Outcome> {
    answer.map(|response| Outcome::Reply(response.into())).boxed()
}

/// Text for people, in a field of a response.
pub(crate) fn text(message: impl std::fmt::Display) -> Option<StrBytes> {
    Some(StrBytes::from(message.to_string()))
}
