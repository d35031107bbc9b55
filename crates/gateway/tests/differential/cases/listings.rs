//! Groups and transactions: where they are, which there are, how they are.

use schloss_wire::messages as m;
use schloss_wire::{Api, build};

use crate::case::{Case, cluster_ways, each, ways, with};
use crate::side::{At, Side};

use super::LABELS;

const BROKER: At = At::Broker(1);
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;
/// First version of FindCoordinator that asks for many.
const MANY: i16 = 4;

fn coordinators(side: &Side<'_>, key_type: i8) -> m::FindCoordinatorRequest {
    build!(m::FindCoordinatorRequest {
        key_type,
        coordinator_keys: LABELS.map(|label| side.kept(label)).to_vec()
    })
}

fn coordinator(side: &Side<'_>, key_type: i8, label: &str) -> m::FindCoordinatorRequest {
    build!(m::FindCoordinatorRequest { key_type, key: side.kept(label) })
}

fn share_coordinator(side: &Side<'_>) -> m::FindCoordinatorRequest {
    let keys = ["a", "missing"].map(|label| {
        // Group, topic id and partition, as KIP-932 writes them; the id is that of no topic.
        format!("{}:q6urq6urq6urq6urq6urqw:0", side.names.name(label)).as_str().into()
    });
    build!(m::FindCoordinatorRequest { key_type: SHARE, coordinator_keys: keys.to_vec() })
}

fn transactions(states: &[&str]) -> m::ListTransactionsRequest {
    build!(m::ListTransactionsRequest { state_filters: states.iter().map(|state| (*state).into()).collect() })
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (kind, resource) in [(GROUP, "group"), (TRANSACTION, "transactional-id")] {
        let what = format!("of a {resource}");
        let many = each(Api::FindCoordinator, &what, BROKER, ways("describe", resource), move |side| {
            coordinators(side, kind)
        });
        cases.extend(many.into_iter().map(|case| case.versions(MANY..=i16::MAX)));
        for label in ["a", "missing"] {
            let one = each(Api::FindCoordinator, &what, BROKER, ways("describe", resource), move |side| {
                coordinator(side, kind, label)
            });
            let first = i16::from(kind != GROUP);
            cases.extend(one.into_iter().map(|case| case.versions(first..=MANY - 1)));
        }
    }
    let share = each(
        Api::FindCoordinator,
        "of share partitions",
        BROKER,
        with(cluster_ways("cluster-action"), &["allow all group *"]),
        share_coordinator,
    );
    cases.extend(share.into_iter().map(|case| case.versions(6..=i16::MAX)));

    let mut group_ways = ways("describe", "group");
    group_ways.extend(cluster_ways("describe"));
    cases.extend(each(Api::ListGroups, "all", At::Groups, group_ways.clone(), |_| {
        m::ListGroupsRequest::default()
    }));
    let filtered = each(Api::ListGroups, "empty ones", At::Groups, group_ways, |_| {
        build!(m::ListGroupsRequest { states_filter: vec!["Empty".into()] })
    });
    cases.extend(filtered.into_iter().map(|case| case.versions(4..=i16::MAX)));
    cases.extend(each(Api::DescribeGroups, "by name", At::Groups, ways("describe", "group"), |side| {
        build!(m::DescribeGroupsRequest {
            groups: LABELS.map(|label| side.kept(label)).to_vec(),
            include_authorized_operations: side.version() >= 3,
        })
    }));

    let mut transaction_ways = ways("describe", "transactional-id");
    transaction_ways.extend(cluster_ways("describe"));
    cases.extend(each(Api::ListTransactions, "all", At::Transactions, transaction_ways.clone(), |_| {
        transactions(&[])
    }));
    cases.extend(each(
        Api::ListTransactions,
        "with an unknown state",
        At::Transactions,
        transaction_ways,
        |_| transactions(&["Ongoing", "Unheard"]),
    ));
    let described = |side: &Side<'_>| {
        build!(m::DescribeTransactionsRequest {
            transactional_ids: LABELS.map(|label| side.kept(label)).to_vec(),
        })
    };
    let all_topics = with(ways("describe", "transactional-id"), &["allow describe topic *"]);
    cases.extend(each(Api::DescribeTransactions, "by name", At::Transactions, all_topics, described));
    let one_topic = with(ways("describe", "transactional-id"), &["allow describe topic txn-b"]);
    cases.extend(each(Api::DescribeTransactions, "by name", At::Transactions, one_topic, described));
    let no_topic = ways("describe", "transactional-id");
    cases.extend(each(Api::DescribeTransactions, "by name", At::Transactions, no_topic, described));
    cases
}
