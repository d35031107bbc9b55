//! ListGroups: the groups of this node, by state and type.

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::list_groups_request::ListGroupsRequest;
use schloss_wire::messages::list_groups_response::{ListGroupsResponse, ListedGroup};
use schloss_wire::{StrBytes, build};

use crate::broker::Broker;
use crate::groups::{Listing, wire};
use crate::reply::ready;

/// KIP-518: from here on the answer names states.
const FIRST_WITH_STATES: i16 = 4;
/// KIP-848: from here on the answer names types.
const FIRST_WITH_TYPES: i16 = 5;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: ListGroupsRequest,
) -> BoxFuture<'static, Outcome> {
    let groups = broker.groups.list();
    let groups = groups
        .iter()
        .filter(|group| admits(&request.types_filter, group.kind.name()))
        .filter(|group| admits(&request.states_filter, group.state))
        .map(|group| to_listed(group, caller.api_version))
        .collect();
    ready(build!(ListGroupsResponse { groups }))
}

/// An empty filter lets everything through; case does not matter, as in Kafka.
fn admits(filter: &[StrBytes], name: &str) -> bool {
    filter.is_empty() || filter.iter().any(|wanted| wanted.as_str().eq_ignore_ascii_case(name))
}

fn to_listed(group: &Listing, version: i16) -> ListedGroup {
    let from = |first: i16, text: &str| if version >= first { wire(text) } else { StrBytes::default() };
    build!(ListedGroup {
        group_id: wire(&group.group_id),
        protocol_type: wire(group.protocol_type.as_deref().unwrap_or_default()),
        group_state: from(FIRST_WITH_STATES, group.state),
        group_type: from(FIRST_WITH_TYPES, group.kind.name()),
    })
}
