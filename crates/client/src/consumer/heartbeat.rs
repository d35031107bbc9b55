//! Heartbeats: they keep a member's place and bring the news that the group rebalances.

use std::sync::Arc;
use std::time::Duration;

use schloss_wire::ErrorCode;
use schloss_wire::messages::HeartbeatRequest;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use crate::cluster::has_moved;
use crate::connection::Connection;
use crate::error::{ClientError, Need};

/// What the last heartbeat said.
#[derive(Clone, Debug)]
pub(super) enum Pulse {
    Fine,
    /// The group rebalances, or has forgotten us: join again.
    Rejoin,
    /// No use in joining again.
    Failed(ClientError),
}

/// The heartbeat task; ends with the membership.
pub(super) struct Heart(JoinHandle<()>);

impl Drop for Heart {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The heartbeat loop.
pub(super) struct Beat {
    pub(super) link: Arc<Mutex<Connection>>,
    pub(super) request: HeartbeatRequest,
    pub(super) user: Option<String>,
    pub(super) need: Need,
    pub(super) interval: Duration,
    pub(super) pulse: watch::Sender<Pulse>,
}

impl Beat {
    /// Beats until the result is dropped.
    pub(super) fn start(self) -> Heart {
        Heart(tokio::spawn(self.run()))
    }

    async fn run(self) {
        loop {
            tokio::time::sleep(self.interval).await;
            let code = match self.link.lock().await.call(&self.request).await {
                Ok(response) => response.error_code,
                Err(error) => {
                    let pulse = if error.is_retriable() { Pulse::Rejoin } else { Pulse::Failed(error) };
                    return self.tell(pulse);
                }
            };
            // While the group prepares a rebalance, heartbeats still keep the place of a member that is busy.
            if code == ErrorCode::RebalanceInProgress.code() {
                self.tell(Pulse::Rejoin);
            } else if needs_rejoin(code) || has_moved(code) {
                return self.tell(Pulse::Rejoin);
            } else if let Err(error) =
                ClientError::check(code, None, self.user.as_deref(), &self.need, || "heartbeat".to_owned())
            {
                return self.tell(Pulse::Failed(error));
            }
        }
    }

    fn tell(&self, pulse: Pulse) {
        self.pulse.send_replace(pulse);
    }
}

/// Whether a code says that the generation is over for us.
pub(super) fn needs_rejoin(code: i16) -> bool {
    matches!(
        ErrorCode::from_code(code),
        Some(ErrorCode::RebalanceInProgress | ErrorCode::IllegalGeneration | ErrorCode::UnknownMemberId)
    )
}
