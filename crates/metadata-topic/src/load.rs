//! Reading the topic whole.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::time::{Instant, sleep};

use crate::absorb::Absorbed;
use crate::book::Book;
use crate::codec::Codec;
use crate::tail::{Tail, TailError};
use crate::upstream::Upstream;

/// How long the broker waits for more, in one fetch.
const WAIT: Duration = Duration::from_millis(100);
/// How long to go on after errors that pass, and while a transaction hides the end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
const RETRY_BACKOFF: Duration = Duration::from_millis(100);

/// All that the topic says.
pub(crate) struct Loaded {
    pub(crate) tail: Tail,
    pub(crate) book: Book,
    pub(crate) absorbed: Absorbed,
    /// The offset behind the last record.
    pub(crate) position: i64,
}

#[derive(Debug, Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    Tail(#[from] TailError),
    #[error(
        "a transaction of another producer is open in topic {0} and hides what comes after it: find it with \
         kafka-transactions.sh describe-producers, and end it with kafka-transactions.sh abort"
    )]
    HeldUp(String),
}

/// Reads the topic from its beginning to its end.
pub(crate) async fn load(upstream: &Arc<Upstream>, codec: &Arc<Codec>) -> Result<Loaded, LoadError> {
    let mut loaded = Loaded {
        tail: Tail::new(Arc::clone(upstream), Arc::clone(codec)),
        book: Book::default(),
        absorbed: Absorbed::default(),
        position: 0,
    };
    loaded.read_to_end(codec, upstream.topic()).await?;
    Ok(loaded)
}

impl Loaded {
    /// Reads on to where the end is now.
    pub(crate) async fn read_to_end(&mut self, codec: &Codec, topic: &str) -> Result<(), LoadError> {
        let mut progress = Instant::now();
        loop {
            match self.tail.fetch(self.book.change(), WAIT).await {
                Ok(piece) => {
                    let (last, held_up) = (piece.is_last(), piece.is_held_up());
                    if piece.position > self.position {
                        progress = Instant::now();
                        self.position = piece.position;
                    }
                    self.absorbed.add(codec, &mut self.book, piece.outcomes);
                    if last {
                        return Ok(());
                    }
                    if held_up && progress.elapsed() > PATIENCE {
                        return Err(LoadError::HeldUp(topic.to_owned()));
                    }
                }
                Err(TailError::Client(error)) if error.is_retriable() && progress.elapsed() < PATIENCE => {
                    sleep(RETRY_BACKOFF).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
