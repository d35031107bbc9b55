//! From what the log says to records of the state.

use schloss_metadata::Record;

use crate::book::Book;
use crate::codec::{Codec, Fault};
use crate::transactions::{Outcome, Refused};

/// What is new.
#[derive(Default)]
pub(crate) struct Absorbed {
    pub(crate) records: Vec<Record>,
    pub(crate) refused: Vec<Refused>,
}

impl Absorbed {
    /// Enters outcomes into the book, in their order.
    pub(crate) fn add(&mut self, codec: &Codec, book: &mut Book, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            match outcome {
                Outcome::Committed { producer, words, .. } if book.precedes(&words) => {
                    self.records.extend(book.take(codec, producer, words));
                }
                Outcome::Committed { words, offset, .. } => {
                    let keys = words.into_iter().map(|word| word.key).collect();
                    let fault = Fault::Forged("it is a copy of an earlier record");
                    self.refuse(book, Refused { offset, fault, keys, more: false });
                }
                Outcome::Refused(refused) => self.refuse(book, refused),
            }
        }
    }

    /// The first record of ours that we are too old for.
    pub(crate) fn unreadable(&self) -> Option<(i64, &str)> {
        self.refused.iter().find_map(|refused| match &refused.fault {
            Fault::Unreadable(detail) => Some((refused.offset, detail.as_str())),
            _ => None,
        })
    }

    fn refuse(&mut self, book: &mut Book, mut refused: Refused) {
        for key in &refused.keys {
            refused.more |= !book.dispute(key);
        }
        self.refused.push(refused);
    }
}
