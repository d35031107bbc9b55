//! Small helpers to answer with.

use std::fmt::Display;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use schloss_gate::Outcome;
use schloss_metadata::Refusal;
use schloss_wire::{ErrorCode, Response, StrBytes};

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
pub(crate) fn text(message: impl Display) -> Option<StrBytes> {
    Some(StrBytes::from(message.to_string()))
}

/// A refusal with Kafka's error and words for the user.
pub(crate) fn refusal(code: ErrorCode, message: impl Display) -> Refusal {
    Refusal { code, message: message.to_string() }
}

/// Runs what blocks on the disk where it holds up nobody.
///
/// # Errors
/// It panicked, or the process is ending.
pub(crate) async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ErrorCode> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "work on the disk did not end");
        ErrorCode::UnknownServerError
    })
}

/// This node's clock, in milliseconds since the epoch.
pub(crate) fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
