//! librdkafka's `.conf` syntax: `key=value` lines, `#` comments, no escapes.

use zeroize::Zeroizing;

use super::properties::{MAX_ENTRIES, at};
use super::source::Entry;
use crate::error::ConfigError;

pub(super) fn parse(text: &str) -> Result<Vec<Entry>, ConfigError> {
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // The line itself is not quoted: it may be a password that lost its key.
        let Some((key, value)) = line.split_once('=') else {
            return Err(at(line_number, "is not key=value".to_owned()));
        };
        if entries.len() == MAX_ENTRIES {
            return Err(at(line_number, format!("more than {MAX_ENTRIES} entries")));
        }
        entries.push(Entry {
            line: line_number,
            key: key.trim().to_owned(),
            value: Zeroizing::new(value.trim().to_owned()),
        });
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_trimmed_and_nothing_is_unescaped() {
        let entries = parse("# c\n sasl.password = a\\b=c # d \n").ok().unwrap();
        assert_eq!(entries[0].key, "sasl.password");
        assert_eq!(*entries[0].value, "a\\b=c # d");
        assert_eq!(entries[0].line, 2);
    }

    #[test]
    fn a_line_without_a_key_is_an_error_that_does_not_quote_it() {
        let error = parse("a=1\nhunter2\n").err().unwrap();
        assert_eq!(error.to_string(), "is not key=value");
        assert_eq!(error.line, Some(2));
    }
}
