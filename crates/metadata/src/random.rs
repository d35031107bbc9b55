//! Random ids.

use aws_lc_rs::rand;
use schloss_wire::Uuid;

use crate::record::uuid_text;

/// A fresh id of 128 random bits. As in Kafka it is not one of the few reserved ones, and its text does not
/// begin with a dash, which a command line would take for an option.
///
/// # Panics
/// When the operating system has no randomness to give; an id that comes twice would be worse, and nothing a
/// peer sends can bring this about.
#[allow(clippy::expect_used)]
pub(crate) fn random_uuid() -> Uuid {
    loop {
        let mut bytes = [0; 16];
        rand::fill(&mut bytes).expect("the operating system gives random bytes");
        let id = Uuid::from_bytes(bytes);
        let reserved = u128::from_be_bytes(bytes) <= 1;
        if !reserved && !uuid_text(id).starts_with('-') {
            return id;
        }
    }
}
