//! From what the log says to records of the state.

use schloss_metadata::Record;

use crate::book::Book;
use crate::codec::{Codec, Fault};
use crate::transactions::{Outcome, Refused};

/// Most bad transactions that are remembered one by one.
const MAX_REFUSED: usize = 1000;
/// Most keys of each that are remembered, to be told; the book has those to be healed.
const MAX_KEYS: usize = 16;

/// What is new.
#[derive(Default)]
pub(crate) struct Absorbed {
    pub(crate) records: Vec<Record>,
    pub(crate) refused: Vec<Refused>,
    /// Offset of the first record of ours that we are too old for, and what of it is unknown.
    pub(crate) unreadable: Option<(i64, String)>,
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
                    self.refuse(book, Refused { offset, fault: Fault::COPY, keys, more: false });
                }
                Outcome::Refused(refused) => self.refuse(book, refused),
            }
        }
    }

    /// Those that still have the last word on a key in the topic, as far as is known.
    pub(crate) fn standing<'a>(&'a self, book: &'a Book) -> impl Iterator<Item = &'a Refused> {
        self.refused.iter().filter(|refused| refused.more || book.is_disputed_by(refused.offset))
    }

    fn refuse(&mut self, book: &mut Book, mut refused: Refused) {
        for key in &refused.keys {
            refused.more |= !book.dispute(key, refused.offset);
        }
        refused.keys.truncate(MAX_KEYS);
        if let (Fault::Unreadable(detail), None) = (&refused.fault, &self.unreadable) {
            self.unreadable = Some((refused.offset, detail.clone()));
        }
        if self.refused.len() < MAX_REFUSED {
            self.refused.push(refused);
        } else if let Some(last) = self.refused.last_mut() {
            last.more = true;
        }
    }
}
