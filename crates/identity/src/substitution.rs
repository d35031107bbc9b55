//! What mapping rules are made of, those of certificates and those of Kerberos: patterns, what stands for what they
//! fit, and letters.

use regex::{Regex, RegexBuilder};
use thiserror::Error;

/// Most rules of one kind.
pub(crate) const MAX_RULES: usize = 100;
/// Largest compiled pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// What is wrong with a text of rules.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("rule {number}: {what}")]
pub struct RuleError {
    /// Which rule, counted from 1.
    pub number: usize,
    /// What is wrong with it.
    pub what: String,
}

/// Which letters a name is to have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Case {
    AsItIs,
    Lower,
    Upper,
}

impl Case {
    pub(crate) fn of(self, name: String) -> String {
        match self {
            Self::AsItIs => name,
            Self::Lower => name.to_lowercase(),
            Self::Upper => name.to_uppercase(),
        }
    }
}

/// A pattern that fits anywhere in a name.
///
/// # Errors
/// It is no pattern, or too large; in words.
pub(crate) fn pattern(text: &str) -> Result<Regex, String> {
    let pattern = RegexBuilder::new(text).size_limit(MAX_PATTERN_BYTES).build();
    pattern.map_err(|error| error.to_string())
}

/// A pattern that has to fit the whole name, whatever it says of its ends.
///
/// # Errors
/// As [`pattern`].
pub(crate) fn whole_pattern(text: &str) -> Result<Regex, String> {
    // By itself first, or a parenthesis too many would end the anchors.
    pattern(text)?;
    pattern(&format!(r"\A(?:{text})\z"))
}

/// Text with places for groups.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Piece {
    Text(String),
    Group(usize),
}

impl Template {
    pub(crate) fn new(pieces: Vec<Piece>) -> Self {
        Self(pieces)
    }

    /// A replacement as Java's `Matcher.replaceAll` reads it: `$n` is a group, with as many digits as there are groups
    /// for; what is no group stays as it is, and so does what has a backslash before it.
    pub(crate) fn replacement(text: &str, groups: usize) -> Self {
        Self::read(text, groups).0
    }

    /// The same where `$` and a backslash may stand for nothing else, as in Java.
    ///
    /// # Errors
    /// There is no such group, or nothing behind a backslash.
    pub(crate) fn strict_replacement(text: &str, groups: usize) -> Result<Self, String> {
        match Self::read(text, groups) {
            (replacement, false) => Ok(replacement),
            (_, true) => Err(format!(
                "'{text}' has a $ without one of the {groups} groups of its pattern, or a backslash at its end"
            )),
        }
    }

    /// A replacement, and whether there is something in it that Java would refuse.
    fn read(text: &str, groups: usize) -> (Self, bool) {
        let mut stray = false;
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text.chars().peekable();
        while let Some(character) = rest.next() {
            match character {
                '\\' => match rest.next() {
                    Some(next) => plain.push(next),
                    None => stray = true,
                },
                '$' => {
                    let mut group = None;
                    while let Some(digit) = rest.peek().and_then(|next| next.to_digit(10)) {
                        let longer =
                            group.unwrap_or(0_usize).saturating_mul(10).saturating_add(digit as usize);
                        if longer > groups {
                            break;
                        }
                        group = Some(longer);
                        rest.next();
                    }
                    match group {
                        Some(group) => {
                            pieces.push(Piece::Text(std::mem::take(&mut plain)));
                            pieces.push(Piece::Group(group));
                        }
                        None => {
                            stray = true;
                            plain.push('$');
                        }
                    }
                }
                other => plain.push(other),
            }
        }
        pieces.push(Piece::Text(plain));
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
        (Self(pieces), stray)
    }

    /// The text with these groups in their places.
    pub(crate) fn text<'a>(&self, group: impl Fn(usize) -> &'a str) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Group(number) => group(*number).to_owned(),
        };
        self.0.iter().map(piece).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacements_read_groups_as_java_does() {
        for (replacement, expected) in [
            ("$1@$2", "a@b"),
            ("$12", "a2"),
            ("$3", "$3"),
            ("$0!", "a,b!"),
            (r"\$1", "$1"),
            ("$", "$"),
            (r"$1\/x", "a/x"),
            ("", ""),
        ] {
            let text = Template::replacement(replacement, 2).text(|group| ["a,b", "a", "b"][group]);
            assert_eq!(text, expected, "{replacement}");
            let strict = Template::strict_replacement(replacement, 2);
            assert_eq!(strict.is_err(), ["$", "$3"].contains(&replacement), "{replacement}");
        }
        assert!(Template::strict_replacement("a\\", 2).is_err());
    }

    #[test]
    fn a_whole_pattern_fits_nothing_less_and_can_not_get_out_of_its_anchors() {
        let whole = whole_pattern("a|ab").unwrap();
        assert!(whole.is_match("ab") && !whole.is_match("abc") && !whole.is_match("a\nb"));
        assert!(whole_pattern("a)|(b").is_err());
        assert!(whole_pattern("(a{1000}){1000}").unwrap_err().contains("size"));
    }
}
