//! Who is in the cluster: brokers that join, leave and move are followed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod fake;

use std::sync::{Arc, Mutex};

use fake::{Act, Fake, after_versions};
use schloss_client::{BrokerInfo, Cluster};
use schloss_wire::messages::metadata_response::MetadataResponseBroker;
use schloss_wire::messages::{ListGroupsRequest, ListGroupsResponse, MetadataResponse};
use schloss_wire::{Api, StrBytes, build};

fn broker(id: i32, address: &str, rack: Option<&str>) -> BrokerInfo {
    BrokerInfo { id, address: address.to_owned(), rack: rack.map(str::to_owned) }
}

#[tokio::test]
async fn brokers_come_with_their_rack_and_go_when_they_leave() {
    let members: Arc<Mutex<Vec<BrokerInfo>>> = Arc::default();
    let shared = Arc::clone(&members);
    let server = Fake::plain(move || {
        let members = Arc::clone(&shared);
        after_versions(move |asked| match asked.api() {
            Api::Metadata => {
                let members = members.lock().unwrap();
                let brokers = members.iter().map(|member| {
                    let (host, port) = member.address.rsplit_once(':').unwrap();
                    build!(MetadataResponseBroker {
                        node_id: member.id,
                        host: StrBytes::from(host),
                        port: port.parse().unwrap(),
                        rack: member.rack.as_deref().map(StrBytes::from),
                    })
                });
                let brokers = brokers.collect();
                Act::Answer(build!(MetadataResponse { brokers, controller_id: 2 }).into())
            }
            Api::ListGroups => Act::Answer(build!(ListGroupsResponse { error_code: 15 }).into()),
            _ => Act::Close,
        })
    })
    .await;
    let first =
        [broker(1, &server.address, Some("a")), broker(2, &server.address, None), broker(3, "gone:1", None)];
    *members.lock().unwrap() = first.to_vec();
    let mut cluster = Cluster::connect(server.config()).await.unwrap();
    assert_eq!(cluster.brokers(), first);
    assert_eq!(cluster.controller(), Some(2));

    let second = [broker(2, &server.address, Some("b")), broker(4, &server.address, Some("a"))];
    *members.lock().unwrap() = second.to_vec();
    assert_eq!(cluster.refresh_brokers().await.unwrap(), second);
    assert_eq!(cluster.brokers(), second);
    let answer = cluster.call_node(4, &ListGroupsRequest::default(), i16::MAX).await.unwrap();
    assert_eq!(answer.error_code, 15);
    assert!(cluster.call_node(3, &ListGroupsRequest::default(), i16::MAX).await.is_err());
}
