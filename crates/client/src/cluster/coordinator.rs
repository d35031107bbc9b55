//! Finding the broker that coordinates a group.

use std::time::Instant;

use schloss_wire::messages::find_coordinator_response::Coordinator;
use schloss_wire::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use schloss_wire::{ErrorCode, RequestResponsePair, StrBytes, build};

use super::{Cluster, RETRY_BACKOFF};
use crate::error::{ClientError, Need};

/// The version that asks for several keys at once.
const BATCHED_VERSION: i16 = 4;

impl Cluster {
    /// The broker that coordinates a group; waits for one that is being elected.
    ///
    /// # Errors
    /// The user may not describe the group, or there is no coordinator in time.
    pub async fn coordinator(&mut self, group: &str) -> Result<i32, ClientError> {
        let deadline = Instant::now() + self.config.request_timeout;
        loop {
            let found = self.find_coordinator(group).await?;
            let message = found.error_message.as_ref().map(|message| message.as_str());
            let need = Need::group("DESCRIBE", group);
            match self.check(found.error_code, message, &need, || {
                format!("finding the coordinator of group {group}")
            }) {
                Ok(()) => {
                    self.view.add_broker(found.node_id, &found.host, found.port);
                    return Ok(found.node_id);
                }
                Err(error) if error.is_retriable() && Instant::now() < deadline => {}
                Err(error) => return Err(error),
            }
            tokio::time::sleep(RETRY_BACKOFF).await;
        }
    }

    async fn find_coordinator(&mut self, group: &str) -> Result<Coordinator, ClientError> {
        let batched = build!(FindCoordinatorRequest { coordinator_keys: vec![StrBytes::from(group)] });
        let single = build!(FindCoordinatorRequest { key: StrBytes::from(group) });
        let mut last = None;
        for node in self.nodes() {
            let connection = match self.node(node).await {
                Ok(connection) => connection,
                Err(error) if error.is_retriable() => {
                    last = Some(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let version = connection.version::<FindCoordinatorRequest>(i16::MAX)?;
            let request = if version >= BATCHED_VERSION { &batched } else { &single };
            match connection.call_at(request, version).await {
                Ok(response) => return Ok(only(response)),
                Err(error) if error.is_retriable() => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| super::unknown_node(-1)))
    }

    /// Calls the coordinator of a group, looking it up again while the answer says that it moved.
    pub(crate) async fn call_coordinator<R: RequestResponsePair>(
        &mut self,
        group: &str,
        request: &R,
        ceiling: i16,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response, ClientError> {
        let deadline = Instant::now() + self.config.request_timeout;
        loop {
            let node = self.coordinator(group).await?;
            let response = self.call_node(node, request, ceiling).await?;
            if !has_moved(code(&response)) || Instant::now() > deadline {
                return Ok(response);
            }
            tokio::time::sleep(RETRY_BACKOFF).await;
        }
    }
}

/// Whether a code says that the group is coordinated elsewhere, or not yet.
pub(crate) fn has_moved(code: i16) -> bool {
    matches!(
        ErrorCode::from_code(code),
        Some(
            ErrorCode::NotCoordinator
                | ErrorCode::CoordinatorNotAvailable
                | ErrorCode::CoordinatorLoadInProgress
        )
    )
}

/// Versions before 4 answer for one key in the response itself.
fn only(mut response: FindCoordinatorResponse) -> Coordinator {
    response.coordinators.pop().unwrap_or_else(|| {
        build!(Coordinator {
            node_id: response.node_id,
            host: response.host,
            port: response.port,
            error_code: response.error_code,
            error_message: response.error_message,
        })
    })
}
