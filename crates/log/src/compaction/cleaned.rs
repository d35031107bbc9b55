//! The `cleaned-to` file: up to where a log was compacted.

use crate::files::Survives;
use crate::note::{self, Note};
use crate::{LogError, PartitionLog};

const FILE_NAME: &str = "cleaned-to";
const FORMAT: &str = "schloss-cleaned-to-1";

impl PartitionLog {
    /// The offset that was noted last; 0 if none was, or the note is lost: then more is compacted than has to be.
    #[must_use]
    pub fn cleaned_to(&self) -> i64 {
        let path = self.shared().home.directory.join(FILE_NAME);
        match note::load(&path, FORMAT) {
            Ok(Note::Here([offset])) => offset,
            Ok(Note::Missing | Note::Damaged) => 0,
            Err(error) => {
                tracing::warn!(%error, "can't tell up to where a log was compacted");
                0
            }
        }
    }

    /// Notes that all before `offset` was compacted.
    ///
    /// # Errors
    /// The log was deleted or closed; the system's.
    pub fn set_cleaned_to(&self, offset: i64) -> Result<(), LogError> {
        let shared = self.shared();
        let _removing = shared.removing.lock();
        shared.progress.check()?;
        note::store(&shared.home.directory.join(FILE_NAME), FORMAT, [offset], Survives::ProcessOnly)
    }
}
