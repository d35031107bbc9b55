//! An answer on its way through, counted as it passes.

use std::task::{Context, Poll};

use bytes::Bytes;
use schloss_policy::TopicNames;
use schloss_wire::{Api, FetchScan, ScannedTopic};

use crate::forward::Forward;
use crate::traffic::TrafficSums;

/// An answer of which pieces go out before all of it is there.
pub(crate) struct Passing {
    forward: Forward,
    api: Api,
    scan: Option<FetchScan>,
    // The topic that the partitions just seen belong to.
    topic: Option<ScannedTopic>,
}

impl Passing {
    pub(crate) fn new(forward: Forward, api: Api, version: i16) -> Self {
        Self { forward, api, scan: (api == Api::Fetch).then(|| FetchScan::new(version)), topic: None }
    }

    /// The next piece; nothing when the answer is through.
    ///
    /// # Errors
    /// In words, why the rest does not come or can't be accounted for.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        sums: &mut TrafficSums,
        names: &dyn TopicNames,
    ) -> Poll<Result<Option<Bytes>, String>> {
        self.forward.poll_bytes(cx).map(|next| {
            let api = self.api.name();
            let Some(piece) = next else {
                return match &self.scan {
                    Some(scan) if !scan.is_at_end() => Err(format!("the answer to {api} has no end")),
                    _ => Ok(None),
                };
            };
            let piece = piece.map_err(|error| format!("the answer to {api} broke off: {error}"))?;
            if let Some(scan) = &mut self.scan {
                let counted = scan.feed(&piece, |topic, partition| {
                    let is_first = self.topic.as_ref() != Some(topic);
                    if is_first {
                        self.topic = Some(topic.clone());
                    }
                    sums.passed(topic, partition, is_first, names);
                });
                counted.map_err(|error| format!("the answer to {api} can't be accounted for: {error}"))?;
            }
            Ok(Some(piece))
        })
    }
}
