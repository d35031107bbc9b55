//! From the bytes of a socket to an admitted request: framing, header, body, authorization, and the refusal.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use schloss_policy::{
    Acl, AclSet, DecisionCache, Judge, Operation, PatternType, Permission, ResourceType, Subject, TopicNames,
    Verdict,
};
use schloss_wire::{Api, DecodeBudget, ErrorCode, Principal, Request, RequestHead, Uuid, split_frame};

struct Names;

impl TopicNames for Names {
    fn name_of(&self, id: Uuid) -> Option<Arc<str>> {
        (id.as_bytes()[0] == 1).then(|| "orders".into())
    }
}

static ACLS: LazyLock<AclSet> = LazyLock::new(|| {
    let acl = Acl {
        resource_type: ResourceType::Topic,
        pattern_type: PatternType::Prefixed,
        resource_name: "o".to_owned(),
        principal: "User:fuzz".to_owned(),
        host: "*".to_owned(),
        operation: Operation::Read,
        permission: Permission::Allow,
    };
    AclSet::new(vec![acl], Vec::new(), 1)
});

fuzz_target!(|data: &[u8]| {
    let budget = DecodeBudget::Authenticated { max_request_bytes: 1 << 20 };
    let mut buffer = BytesMut::from(data);
    while let Ok(Some(frame)) = split_frame(&mut buffer, budget.max_frame_bytes()) {
        let Ok((head, body)) = RequestHead::parse(frame) else { continue };
        let Some(api) = Api::from_key(head.api_key).filter(|api| api.supports(head.api_version)) else {
            continue;
        };
        let Ok(request) = Request::decode(api, head.api_version, body, budget.limits()) else { continue };
        let refusal =
            schloss_policy::refuse(&request, head.api_version, ErrorCode::KafkaStorageError, Some("no"));
        assert!(refusal.encode_frame(head.correlation_id, head.api_version).is_ok(), "{request:?}");
        let subject = Subject::new(Principal::user("fuzz"), IpAddr::V4(Ipv4Addr::LOCALHOST));
        let mut cache = DecisionCache::default();
        let mut judge = Judge::new(&ACLS, &subject, &mut cache);
        match schloss_policy::admit(request, head.api_version, &mut judge, &Names) {
            Verdict::Refused(response) => {
                assert!(response.encode_frame(head.correlation_id, head.api_version).is_ok());
            }
            Verdict::Admitted(..) => {}
        }
    }
});
