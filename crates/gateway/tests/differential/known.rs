//! The differences that are meant. `docs/differences.md` says why, under the same words.

use crate::tree::Difference;

/// A difference in places of an API's answers.
pub(crate) struct Known {
    /// The first words of its row in the section "Behind a gateway".
    pub(crate) row: &'static str,
    applies: fn(&Place<'_>) -> bool,
}

/// Where a difference was found.
pub(crate) struct Place<'a> {
    pub(crate) api: &'a str,
    pub(crate) version: i16,
    pub(crate) scenario: &'a str,
    pub(crate) difference: &'a Difference,
}

impl Place<'_> {
    fn ends(&self, field: &str) -> bool {
        self.difference.path.ends_with(field)
    }
}

pub(crate) const KNOWN: &[Known] =
    &[Known { row: "Texts beside error codes", applies: |place| place.ends(".error_message") && false }];

/// The row that a difference belongs to.
pub(crate) fn row(place: &Place<'_>) -> Option<&'static str> {
    KNOWN.iter().find(|known| (known.applies)(place)).map(|known| known.row)
}

#[test]
fn each_row_stands_in_the_documentation() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/differences.md");
    let text = std::fs::read_to_string(file).unwrap();
    let section =
        text.split("\n## Behind a gateway\n").nth(1).expect("a section").split("\n## ").next().unwrap();
    for known in KNOWN {
        assert!(section.contains(&format!("\n| {}", known.row)), "{} is not documented", known.row);
    }
}
