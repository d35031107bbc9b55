//! Whom the upstream cluster denies something to, said where an answer has room for words.
//!
//! The gate has allowed what comes here, so a denial in an answer is the cluster's own. Its code stays as it is; without
//! these words whoever reads it would look for a missing right of the client's user, in vain.

use schloss_client::{ClientConfig, UPSTREAM_DENIES};
use schloss_wire::{Api, ErrorCode, Principal, Response, StrBytes};

use crate::Identity;

/// Whether answers of this API are read for denials. Those about records are not, but for Produce, which is read anyway.
pub(crate) const fn has_words(api: Api) -> bool {
    matches!(
        api,
        Api::CreateTopics
            | Api::DeleteTopics
            | Api::CreatePartitions
            | Api::DescribeConfigs
            | Api::AlterConfigs
            | Api::IncrementalAlterConfigs
    )
}

/// The words for a client that is authenticated as `principal`.
pub(crate) fn words(identity: Identity, service: &ClientConfig, principal: &Principal) -> String {
    match identity {
        Identity::Service => format!(
            "{UPSTREAM_DENIES} {}, as whom the gateway comes; docs/gateway.md lists the rights that it needs there",
            service.user().map_or_else(
                || "the user of the client certificate".to_owned(),
                |user| format!("User:{user}")
            )
        ),
        Identity::Impersonate => {
            format!("{UPSTREAM_DENIES} {principal}, whose requests need to be allowed there too")
        }
    }
}

/// Puts `words` to every denial in an answer.
pub(crate) fn attribute(response: &mut Response, words: &str) {
    macro_rules! each {
        ($entries:expr) => {
            for entry in $entries {
                say(entry.error_code, &mut entry.error_message, words);
            }
        };
    }
    match response {
        Response::CreateTopics(answer) => each!(&mut answer.topics),
        Response::DeleteTopics(answer) => each!(&mut answer.responses),
        Response::CreatePartitions(answer) => each!(&mut answer.results),
        Response::DescribeConfigs(answer) => each!(&mut answer.results),
        Response::AlterConfigs(answer) => each!(&mut answer.responses),
        Response::IncrementalAlterConfigs(answer) => each!(&mut answer.responses),
        Response::DescribeCluster(answer) => say(answer.error_code, &mut answer.error_message, words),
        Response::FindCoordinator(answer) => {
            say(answer.error_code, &mut answer.error_message, words);
            each!(&mut answer.coordinators);
        }
        Response::Produce(answer) => {
            each!(answer.responses.iter_mut().flat_map(|topic| &mut topic.partition_responses));
        }
        _ => {}
    }
}

fn say(code: i16, message: &mut Option<StrBytes>, words: &str) {
    let is_denial = matches!(
        ErrorCode::from_code(code),
        Some(
            ErrorCode::TopicAuthorizationFailed
                | ErrorCode::GroupAuthorizationFailed
                | ErrorCode::ClusterAuthorizationFailed
                | ErrorCode::TransactionalIdAuthorizationFailed
        )
    );
    if is_denial {
        *message = Some(StrBytes::from(words));
    }
}

#[cfg(test)]
mod tests {
    use schloss_wire::build;
    use schloss_wire::messages::CreateTopicsResponse;
    use schloss_wire::messages::create_topics_response::CreatableTopicResult;

    use super::*;

    #[test]
    fn a_denial_gets_words_and_another_error_keeps_its_own() {
        let told = |error_code| {
            let error_message = Some("its own".into());
            let topic = build!(CreatableTopicResult { name: "t".into(), error_code, error_message });
            let mut response: Response = build!(CreateTopicsResponse { topics: vec![topic] }).into();
            attribute(&mut response, "not you");
            // It can be sent in every version, also those without room for words.
            for version in 2..=7 {
                response.encode_frame(1, version).unwrap();
            }
            let Response::CreateTopics(answer) = response else { panic!() };
            answer.topics[0].error_message.clone()
        };
        assert_eq!(told(29).as_deref(), Some("not you"));
        assert_eq!(told(36).as_deref(), Some("its own"));
    }
}
