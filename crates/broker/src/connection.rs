//! One connection of a client: what it leaves behind ends with it.

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, EngineSession, Outcome};
use schloss_policy::Admitted;

use crate::broker::Broker;

/// A connection that is served.
pub(crate) struct Connection {
    broker: Broker,
    /// Known from its first request on.
    id: Option<u64>,
}

impl Connection {
    pub(crate) const fn new(broker: Broker) -> Self {
        Self { broker, id: None }
    }
}

impl EngineSession for Connection {
    fn call(&mut self, caller: Caller, request: Admitted) -> BoxFuture<'static, Outcome> {
        self.id = Some(caller.connection_id);
        self.broker.call(caller, request)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.broker.shares.disconnected(id);
        }
    }
}
