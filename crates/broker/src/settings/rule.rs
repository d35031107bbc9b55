//! What a setting may hold.

use super::offset_reset::OffsetReset;

/// The type of a setting, as Kafka's tools show it (`DescribeConfigsResponse.ConfigType`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i8)]
pub(crate) enum Kind {
    Boolean = 1,
    String = 2,
    Int = 3,
    Long = 5,
    Double = 6,
    List = 7,
}

impl Kind {
    pub(crate) const fn code(self) -> i8 {
        self as i8
    }
}

/// Which values are taken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// A whole number in this range.
    Whole { min: i64, max: i64 },
    /// A fraction from 0 to 1.
    Share,
    /// `true` or `false`.
    Boolean,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Where a share group begins.
    OffsetReset,
    /// Any of these words, separated by commas, each once at most.
    AnyOf(&'static [&'static str]),
    /// Known to Kafka and not acted upon: only these values, which say what happens anyway.
    Only { values: &'static [&'static str], why: &'static str },
}

impl Rule {
    /// Checks `value` of the setting `name`.
    ///
    /// # Errors
    /// Words for the user.
    pub(crate) fn check(&self, name: &str, value: &str) -> Result<(), String> {
        let invalid = |why: &dyn std::fmt::Display| Err(format!("invalid value for {name}: {why}"));
        match self {
            Self::Whole { min, max } => match value.parse::<i64>() {
                Ok(number) if (*min..=*max).contains(&number) => Ok(()),
                Ok(_) => invalid(&format_args!("it must be from {min} to {max}")),
                Err(_) => invalid(&"it is not a whole number"),
            },
            Self::Share => match value.parse::<f64>() {
                Ok(number) if (0.0..=1.0).contains(&number) => Ok(()),
                _ => invalid(&"it must be a number from 0 to 1"),
            },
            Self::Boolean => match value {
                "true" | "false" => Ok(()),
                _ => invalid(&"it must be true or false"),
            },
            Self::OneOf(words) if words.contains(&value) => Ok(()),
            Self::OneOf(words) => invalid(&format_args!("it must be one of {}", words.join(", "))),
            Self::OffsetReset if OffsetReset::parse(value).is_some() => Ok(()),
            Self::OffsetReset => invalid(
                &"it must be earliest, latest, or by_duration: with a duration as in by_duration:PT1H",
            ),
            Self::AnyOf(words) => {
                let items = split(value);
                let once = |item: &&str| items.iter().filter(|other| *other == item).count() == 1;
                if items.iter().all(|item| words.contains(item) && once(item)) {
                    return Ok(());
                }
                invalid(&format_args!("it must be a list of {}, each once at most", words.join(", ")))
            }
            Self::Only { values, .. } if values.contains(&value) => Ok(()),
            Self::Only { values, why } => {
                let values = values.iter().map(|value| if value.is_empty() { "''" } else { value });
                let values = values.collect::<Vec<_>>().join(" or ");
                invalid(&format_args!("{why}, so only {values} is accepted"))
            }
        }
    }
}

/// The items of a list.
pub(crate) fn split(list: &str) -> Vec<&str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_held_to_their_range() {
        let rule = Rule::Whole { min: 0, max: 10 };
        assert_eq!(rule.check("a", "10"), Ok(()));
        for value in ["11", "-1", "", "x", "1.0", "99999999999999999999"] {
            assert!(rule.check("a", value).is_err(), "{value}");
        }
        assert!(Rule::Share.check("a", "1.1").is_err() && Rule::Share.check("a", "NaN").is_err());
        assert_eq!(Rule::Share.check("a", "0.5"), Ok(()));
    }

    #[test]
    fn a_list_has_each_of_its_words_once_or_not_at_all() {
        let rule = Rule::AnyOf(&["compact", "delete"]);
        for value in ["", "delete", "compact, delete", "delete,compact"] {
            assert_eq!(rule.check("a", value), Ok(()), "{value}");
        }
        for value in ["delete,delete", "Compact", "delete compact", "other"] {
            assert!(rule.check("a", value).is_err(), "{value}");
        }
    }

    #[test]
    fn what_is_not_acted_upon_says_why() {
        let rule = Rule::Only { values: &["false"], why: "segments grow as they are written" };
        let message = rule.check("preallocate", "true").unwrap_err();
        assert_eq!(
            message,
            "invalid value for preallocate: segments grow as they are written, so only false is accepted"
        );
    }
}
