//! DescribeCluster: the cluster's id and its one node.

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::DescribeClusterRequest;
use schloss_wire::messages::describe_cluster_response::{DescribeClusterBroker, DescribeClusterResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use crate::broker::Broker;
use crate::reply::{ready, text};

/// Kinds of endpoints (KIP-919): this is a broker's.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: DescribeClusterRequest,
) -> BoxFuture<'static, Outcome> {
    let refused = |code: ErrorCode, message: &str| {
        let endpoint_type = request.endpoint_type;
        ready(build!(DescribeClusterResponse {
            error_code: code.code(),
            error_message: text(message),
            endpoint_type
        }))
    };
    match request.endpoint_type {
        BROKERS => {}
        CONTROLLERS => {
            return refused(
                ErrorCode::MismatchedEndpointType,
                "this is an endpoint of brokers, not of controllers: use --bootstrap-server",
            );
        }
        _ => return refused(ErrorCode::UnsupportedEndpointType, "there is no such type of endpoint"),
    }
    let node = broker.advertised(&caller.listener).map(|advertised| {
        build!(DescribeClusterBroker {
            broker_id: broker.config.node_id,
            host: StrBytes::from(advertised.host.as_str()),
            port: i32::from(advertised.port),
        })
    });
    ready(build!(DescribeClusterResponse {
        cluster_id: StrBytes::from(&**broker.metadata.snapshot().cluster_id()),
        controller_id: broker.config.node_id,
        brokers: node.into_iter().collect(),
    }))
}
