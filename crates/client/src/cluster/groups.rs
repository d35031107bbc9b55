//! Consumer groups from an administrator's side.

use schloss_wire::messages::ListGroupsRequest;

use super::Cluster;
use crate::error::{ClientError, Need};

/// A group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupInfo {
    /// Its id.
    pub group: String,
    /// `consumer` for consumers.
    pub protocol_type: String,
    /// Its state, empty from brokers before 2.6.
    pub state: String,
}

impl Cluster {
    /// The groups of all brokers that the user may describe, by id.
    ///
    /// # Errors
    /// A broker can't be asked.
    pub async fn list_groups(&mut self) -> Result<Vec<GroupInfo>, ClientError> {
        let mut groups = Vec::new();
        for node in self.nodes() {
            let response = self.call_node(node, &ListGroupsRequest::default(), i16::MAX).await?;
            self.check(response.error_code, None, &Need::cluster("DESCRIBE"), || {
                "listing groups".to_owned()
            })?;
            groups.extend(response.groups.into_iter().map(|group| GroupInfo {
                group: group.group_id.into_string(),
                protocol_type: group.protocol_type.into_string(),
                state: group.group_state.into_string(),
            }));
        }
        groups.sort_by(|one, other| one.group.cmp(&other.group));
        groups.dedup_by(|one, other| one.group == other.group);
        Ok(groups)
    }
}
