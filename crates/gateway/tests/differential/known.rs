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
    /// The case, and what of it was asked.
    pub(crate) scenario: &'a str,
    pub(crate) difference: &'a Difference,
}

impl Place<'_> {
    fn is_of(&self, apis: &[&str]) -> bool {
        apis.contains(&self.api)
    }

    fn holds(&self, part: &str) -> bool {
        self.difference.path.contains(part)
    }

    fn ends(&self, field: &str) -> bool {
        self.difference.path.ends_with(field)
    }
}

/// What Kafka's controller says instead of words: the request as an object.
const DUMP: &str = "\"Request Request(";

pub(crate) const KNOWN: &[Known] = &[
    Known {
        row: "Texts beside error codes",
        applies: |place| {
            let (left, right) = (place.difference.left.as_str(), place.difference.right.as_str());
            let of_ours = place.is_of(&["CreateAcls", "DeleteAcls", "AlterUserScramCredentials"]);
            let both = left.starts_with('"') && right.starts_with('"') && right != "\"\"";
            place.ends(".error_message") && (left.starts_with(DUMP) && right == "null" || of_ours && both)
        },
    },
    Known {
        row: "Fetch above version 15",
        applies: |place| {
            place.is_of(&["Fetch"])
                && place.version > 15
                && (place.holds(".current_leader.") || place.holds(".node_endpoints"))
        },
    },
    Known {
        row: "Incremental fetch sessions",
        applies: |place| {
            place.is_of(&["Fetch"]) && place.scenario.contains("opens a session") && place.ends(".session_id")
        },
    },
    Known {
        row: "DescribeQuorum",
        applies: |place| place.is_of(&["DescribeQuorum"]) && place.holds(".nodes["),
    },
    Known {
        row: "Denied topics of a share session",
        applies: |place| {
            place.scenario.ends_with("ShareFetch goes on")
                && place.difference.right == "nothing"
                && place.difference.left.contains("error_code: 29")
        },
    },
    Known {
        row: "Share fetches and acknowledgements of a topic id that is none",
        applies: |place| {
            place.is_of(&["ShareFetch", "ShareAcknowledge"])
                && place.scenario.contains("a session with a missing topic")
        },
    },
    Known {
        row: "Ids of topics whose share group offsets the client may not alter",
        applies: |place| place.is_of(&["AlterShareGroupOffsets"]) && place.ends(".topic_id"),
    },
    Known {
        row: "Streams groups without CREATE on internal topics",
        applies: |place| {
            place.is_of(&["StreamsGroupHeartbeat"]) && place.scenario.contains("a changelog to be made")
        },
    },
];

/// The row about topics that a gateway hides. They are there only where gateways keep their state in the cluster, so
/// nobody has to meet one.
const HIDDEN: Known = Known {
    row: "Topics that begin with `__schloss_`",
    applies: |place| place.holds("[\"__schloss_") && place.difference.right == "nothing",
};

/// The row that a difference belongs to.
pub(crate) fn row(place: &Place<'_>) -> Option<&'static str> {
    all().find(|known| (known.applies)(place)).map(|known| known.row)
}

fn all() -> impl Iterator<Item = &'static Known> {
    KNOWN.iter().chain([&HIDDEN])
}

#[test]
fn each_row_stands_in_the_documentation() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/differences.md");
    let text = std::fs::read_to_string(file).unwrap();
    let section =
        text.split("\n## Behind a gateway\n").nth(1).expect("a section").split("\n## ").next().unwrap();
    for known in all() {
        assert!(section.contains(&format!("\n| {}", known.row)), "{} is not documented", known.row);
    }
}
