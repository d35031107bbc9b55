//! What a session makes of what comes from the broker.

use std::io;

use schloss_gate::{Forward, Outcome};
use schloss_wire::{Api, Response};

use crate::session::Surroundings;
use crate::{blame, rewrite};

/// Whether answers of this API are read, so that they can't go out as they come.
pub(crate) const fn is_read(api: Api) -> bool {
    names_brokers(api) || blame::has_words(api)
}

const fn names_brokers(api: Api) -> bool {
    matches!(
        api,
        Api::Produce
            | Api::Metadata
            | Api::FindCoordinator
            | Api::DescribeQuorum
            | Api::DescribeCluster
            | Api::ShareFetch
            | Api::ShareAcknowledge
    )
}

/// Reads an answer and puts the gateway's addresses into it, and `denied` to what the cluster itself denies.
pub(crate) async fn rewritten(
    forward: Forward,
    api: Api,
    version: i16,
    surroundings: &Surroundings,
    denied: &str,
) -> io::Result<Outcome> {
    let mut response = forward.into_response(api, version, surroundings.max_answer_bytes).await?;
    match &response {
        Response::Metadata(metadata) => surroundings.view.learn(metadata),
        Response::CreateTopics(_) | Response::DeleteTopics(_) => surroundings.view.doubt(),
        _ => {}
    }
    blame::attribute(&mut response, denied);
    rewrite::addresses(&mut response, &surroundings.addressing);
    Ok(Outcome::Reply(response))
}
