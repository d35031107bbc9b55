//! The way to one broker: a connection with several produce requests under way.

use std::collections::VecDeque;
use std::sync::Arc;

use schloss_wire::messages::{ProduceRequest, ProduceResponse};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::batch::Batch;
use crate::config::ClientConfig;
use crate::connection::Connection;
use crate::error::ClientError;

/// Version 13 names topics by id alone, which needs no name but a fresh id: names work everywhere.
const PRODUCE_CEILING: i16 = 12;

/// One produce request with the batches in it.
pub(super) struct Load {
    pub(super) request: ProduceRequest,
    pub(super) batches: Vec<Batch>,
}

/// What became of a load.
pub(super) struct Outcome {
    pub(super) node: i32,
    pub(super) batches: Vec<Batch>,
    pub(super) result: Result<ProduceResponse, ClientError>,
}

/// Sends loads to a broker, answers in order; ends when `loads` is closed and everything is answered.
pub(super) struct Lane {
    pub(super) node: i32,
    pub(super) address: String,
    pub(super) config: Arc<ClientConfig>,
    pub(super) outcomes: mpsc::UnboundedSender<Outcome>,
}

/// Loads under way with the time by which each has to be answered.
type Flying = VecDeque<(Instant, Vec<Batch>)>;

impl Lane {
    pub(super) async fn run(self, mut loads: mpsc::Receiver<Load>) {
        let mut connection: Option<Connection> = None;
        let mut flying = Flying::new();
        loop {
            let due = flying.front().map(|(due, _)| *due);
            match (&mut connection, due) {
                (Some(open), Some(due)) => tokio::select! {
                    load = loads.recv() => match load {
                        Some(load) => self.launch(load, &mut connection, &mut flying).await,
                        None => {
                            let answer = receive(open, due).await;
                            self.land(answer, &mut connection, &mut flying);
                        }
                    },
                    answer = receive(open, due) => self.land(answer, &mut connection, &mut flying),
                },
                _ => match loads.recv().await {
                    Some(load) => self.launch(load, &mut connection, &mut flying).await,
                    None => return,
                },
            }
        }
    }

    async fn launch(&self, load: Load, connection: &mut Option<Connection>, flying: &mut Flying) {
        if flying.is_empty() && connection.as_ref().is_none_or(Connection::is_spent) {
            match Connection::connect(&self.config, &self.address).await {
                Ok(fresh) => *connection = Some(fresh),
                Err(error) => {
                    *connection = None;
                    return self.report(load.batches, Err(error));
                }
            }
        }
        let Some(open) = connection else {
            let error = ClientError::Closed { address: self.address.clone(), doing: "producing".to_owned() };
            return self.report(load.batches, Err(error));
        };
        let due = Instant::now() + self.config.request_timeout;
        let sent = async {
            let version = open.version::<ProduceRequest>(PRODUCE_CEILING)?;
            open.send(&load.request, version).await
        };
        let result = timeout_at(due, sent).await.unwrap_or_else(|_| Err(self.timed_out()));
        flying.push_back((due, load.batches));
        if let Err(error) = result {
            self.crash(&error, connection, flying);
        }
    }

    /// The answer of the oldest load came, or the connection is lost with all of them.
    fn land(
        &self,
        answer: Option<Result<ProduceResponse, ClientError>>,
        connection: &mut Option<Connection>,
        flying: &mut Flying,
    ) {
        match answer {
            Some(Ok(response)) => {
                if let Some((_, batches)) = flying.pop_front() {
                    self.report(batches, Ok(response));
                }
            }
            Some(Err(error)) => self.crash(&error, connection, flying),
            None => self.crash(&self.timed_out(), connection, flying),
        }
    }

    fn crash(&self, error: &ClientError, connection: &mut Option<Connection>, flying: &mut Flying) {
        *connection = None;
        for (_, batches) in flying.drain(..) {
            self.report(batches, Err(error.clone()));
        }
    }

    fn report(&self, batches: Vec<Batch>, result: Result<ProduceResponse, ClientError>) {
        // The sender outlives its lanes; if it is gone, nobody waits for these batches either.
        let _gone = self.outcomes.send(Outcome { node: self.node, batches, result });
    }

    fn timed_out(&self) -> ClientError {
        ClientError::Timeout {
            address: self.address.clone(),
            doing: "waiting for Produce".to_owned(),
            after: self.config.request_timeout,
        }
    }
}

/// `None` when nothing came in time. Dropping this loses nothing.
async fn receive(open: &mut Connection, due: Instant) -> Option<Result<ProduceResponse, ClientError>> {
    timeout_at(due, open.receive::<ProduceRequest>()).await.ok()
}
