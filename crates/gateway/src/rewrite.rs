//! The gateway's addresses in place of the brokers'.
//!
//! A broker without an address of ours is left out where lists allow it; nowhere does an upstream address get
//! through.

use schloss_wire::messages::{
    DescribeClusterResponse, DescribeQuorumResponse, FindCoordinatorResponse, MetadataResponse,
    ProduceResponse, ShareAcknowledgeResponse, ShareFetchResponse,
};
use schloss_wire::{ErrorCode, Response, StrBytes};

use crate::Addressing;

/// Rewrites every host and port in an answer.
pub(crate) fn addresses(response: &mut Response, addressing: &Addressing) {
    match response {
        Response::Produce(response) => produce(response, addressing),
        Response::Metadata(response) => metadata(response, addressing),
        Response::FindCoordinator(response) => find_coordinator(response, addressing),
        Response::DescribeCluster(response) => describe_cluster(response, addressing),
        Response::DescribeQuorum(response) => describe_quorum(response),
        Response::ShareFetch(response) => share_fetch(response, addressing),
        Response::ShareAcknowledge(response) => share_acknowledge(response, addressing),
        _ => {}
    }
}

/// Puts our address of `node` into the two fields; false if it has none.
fn place(addressing: &Addressing, node: i32, host: &mut StrBytes, port: &mut i32) -> bool {
    let Some((our_host, our_port)) = addressing.address(node) else { return false };
    *host = StrBytes::from(our_host);
    *port = i32::from(our_port);
    true
}

macro_rules! keep_ours {
    ($list:expr, $id:ident, $addressing:expr) => {
        $list.retain_mut(|broker| place($addressing, broker.$id, &mut broker.host, &mut broker.port))
    };
}

fn produce(response: &mut ProduceResponse, addressing: &Addressing) {
    keep_ours!(response.node_endpoints, node_id, addressing);
}

fn metadata(response: &mut MetadataResponse, addressing: &Addressing) {
    keep_ours!(response.brokers, node_id, addressing);
}

fn find_coordinator(response: &mut FindCoordinatorResponse, addressing: &Addressing) {
    let found = |code: i16| code == ErrorCode::None.code();
    // Up to version 3 the one coordinator stands at the top; later versions leave it empty there.
    let at_top = found(response.error_code) && !response.host.is_empty();
    if at_top && !place(addressing, response.node_id, &mut response.host, &mut response.port) {
        response.error_code = ErrorCode::CoordinatorNotAvailable.code();
    }
    if !found(response.error_code) {
        (response.host, response.port, response.node_id) = (StrBytes::default(), -1, -1);
    }
    for coordinator in &mut response.coordinators {
        let ours = found(coordinator.error_code)
            && place(addressing, coordinator.node_id, &mut coordinator.host, &mut coordinator.port);
        if ours {
            continue;
        }
        if found(coordinator.error_code) {
            coordinator.error_code = ErrorCode::CoordinatorNotAvailable.code();
        }
        (coordinator.host, coordinator.port, coordinator.node_id) = (StrBytes::default(), -1, -1);
    }
}

fn describe_cluster(response: &mut DescribeClusterResponse, addressing: &Addressing) {
    keep_ours!(response.brokers, broker_id, addressing);
}

/// What it names are controllers, which no client reaches through a gateway.
fn describe_quorum(response: &mut DescribeQuorumResponse) {
    for node in &mut response.nodes {
        node.listeners.clear();
    }
}

fn share_fetch(response: &mut ShareFetchResponse, addressing: &Addressing) {
    keep_ours!(response.node_endpoints, node_id, addressing);
}

fn share_acknowledge(response: &mut ShareAcknowledgeResponse, addressing: &Addressing) {
    keep_ours!(response.node_endpoints, node_id, addressing);
}
