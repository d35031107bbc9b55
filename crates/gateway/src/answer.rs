//! What a session makes of what comes from the broker.

use std::io;

use schloss_gate::{Forward, Outcome};
use schloss_wire::{Api, Response};

use crate::rewrite;
use crate::session::Surroundings;

/// Whether answers of this API name brokers, so that they can't go out as they come.
pub(crate) const fn names_brokers(api: Api) -> bool {
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

/// Reads an answer that names brokers and puts the gateway's addresses into it.
pub(crate) async fn rewritten(
    forward: Forward,
    api: Api,
    version: i16,
    surroundings: &Surroundings,
) -> io::Result<Outcome> {
    let mut response = forward.into_response(api, version, surroundings.max_answer_bytes).await?;
    if let Response::Metadata(metadata) = &response {
        surroundings.view.learn(metadata);
    }
    rewrite::addresses(&mut response, &surroundings.addressing);
    Ok(Outcome::Reply(response))
}
