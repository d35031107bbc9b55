//! What a member of a share group says in a heartbeat, free of protocol versions.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::groups::consumer::MemberTimes;

/// A heartbeat. What is `None` is as it was before.
#[derive(Clone, Debug)]
pub(crate) struct ShareBeat {
    pub(crate) member_id: Arc<str>,
    pub(crate) epoch: i32,
    pub(crate) rack_id: Option<Arc<str>>,
    pub(crate) names: Option<BTreeSet<Arc<str>>>,
    pub(crate) client_id: Arc<str>,
    pub(crate) client_host: Arc<str>,
    /// Those of its group now.
    pub(crate) times: MemberTimes,
}

impl ShareBeat {
    /// Bytes of what the member says of itself and is kept.
    pub(super) fn bytes(&self) -> usize {
        let names: usize = self.names.iter().flatten().map(|name| name.len() + size_of::<Arc<str>>()).sum();
        self.member_id.len() + self.rack_id.as_ref().map_or(0, |id| id.len()) + names
    }
}
