//! As whom a client's requests go upstream.

use std::io;
use std::sync::Arc;

use schloss_client::ClientConfig;
use schloss_wire::Principal;

use crate::Identity;
use crate::view::View;

/// The configurations that connections are made with.
pub(crate) struct Credentials {
    identity: Identity,
    service: Arc<ClientConfig>,
    view: Arc<View>,
}

impl Credentials {
    pub(crate) fn new(identity: Identity, service: Arc<ClientConfig>, view: Arc<View>) -> Self {
        Self { identity, service, view }
    }

    /// How to connect for a client that is authenticated as `principal`.
    pub(crate) async fn of(&self, principal: &Principal) -> io::Result<Arc<ClientConfig>> {
        match self.identity {
            Identity::Service => Ok(Arc::clone(&self.service)),
            Identity::Impersonate => Err(io::Error::other(format!(
                "impersonating {} through {} is not there yet",
                principal.as_str(),
                self.view.cluster_id()
            ))),
        }
    }
}
