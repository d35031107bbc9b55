//! `ssl.principal.mapping.rules` of Kafka (KIP-371): from an X.500 name to a user's.

use std::str::FromStr;

use regex::Regex;

use crate::substitution::{Case, MAX_RULES, RuleError, Template, whole_pattern};

/// Rules, tried in their order; the first one whose pattern fits the whole name makes the user's name. No rules are
/// the one rule `DEFAULT`, which keeps the name as it is.
#[derive(Clone, Debug, Default)]
pub struct MappingRules(Vec<Rule>);

#[derive(Clone, Debug)]
enum Rule {
    Default,
    Pattern { pattern: Regex, replacement: Template, case: Case },
}

impl MappingRules {
    /// The user's name for a name of a certificate; nothing if no rule fits it.
    #[must_use]
    pub fn apply(&self, name: &str) -> Option<String> {
        if self.0.is_empty() {
            return Some(name.to_owned());
        }
        self.0.iter().find_map(|rule| rule.apply(name))
    }
}

impl Rule {
    fn apply(&self, name: &str) -> Option<String> {
        let (pattern, replacement, case) = match self {
            Self::Default => return Some(name.to_owned()),
            Self::Pattern { pattern, replacement, case } => (pattern, replacement, case),
        };
        let groups = pattern.captures(name)?;
        Some(case.of(replacement.text(|number| groups.get(number).map_or("", |group| group.as_str()))))
    }
}

impl FromStr for MappingRules {
    type Err = RuleError;

    /// Reads rules as Kafka's setting has them: `RULE:pattern/replacement/[LU]` and `DEFAULT`, separated by commas; a
    /// slash inside of a part has a backslash before it.
    fn from_str(text: &str) -> Result<Self, RuleError> {
        let mut rest = text.trim();
        let mut rules = Vec::new();
        while !rest.is_empty() {
            let number = rules.len() + 1;
            let wrong = |what: String| RuleError { number, what };
            if number > MAX_RULES {
                return Err(wrong(format!("there can be no more than {MAX_RULES} rules")));
            }
            let (rule, after) = read(rest).map_err(wrong)?;
            rules.push(rule);
            let after = after.trim_start();
            rest = match after.strip_prefix(',') {
                Some(next) => next.trim_start(),
                None if after.is_empty() => after,
                None => return Err(wrong(format!("a comma is missing before '{after}'"))),
            };
        }
        Ok(Self(rules))
    }
}

/// One rule, and what is behind it.
fn read(text: &str) -> Result<(Rule, &str), String> {
    if let Some(after) = text.strip_prefix("DEFAULT") {
        return Ok((Rule::Default, after));
    }
    let rule = text.strip_prefix("RULE:").ok_or_else(|| {
        format!("'{text}' begins neither with RULE: nor with DEFAULT: use RULE:pattern/replacement/[LU]")
    })?;
    let missing = "its parts have to end with a slash: use RULE:pattern/replacement/[LU]";
    let (pattern, rule) = up_to_slash(rule).ok_or(missing)?;
    let (replacement, rule) = up_to_slash(rule).ok_or(missing)?;
    let (case, after) = match rule.chars().next() {
        Some('L') => (Case::Lower, &rule[1..]),
        Some('U') => (Case::Upper, &rule[1..]),
        _ => (Case::AsItIs, rule),
    };
    let pattern = whole_pattern(pattern)?;
    let replacement = Template::replacement(replacement, pattern.captures_len() - 1);
    Ok((Rule::Pattern { pattern, replacement, case }, after))
}

/// What is before the next slash that has no backslash before it, and what is behind.
fn up_to_slash(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '/' => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(rules: &str, name: &str) -> Option<String> {
        rules.parse::<MappingRules>().unwrap().apply(name)
    }

    /// The cases of Kafka's own `SslPrincipalMapperTest`.
    #[test]
    fn kafkas_own_cases_come_out_as_there() {
        let rules = r"RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/L, RULE:^CN=(.*?),OU=(.*?),O=(.*?),L=(.*?),ST=(.*?),C=(.*?)$/$1@$2/L, RULE:^cn=(.*?),ou=(.*?),dc=(.*?),dc=(.*?)$/$1@$2/U, RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/U, DEFAULT";
        for (name, user) in [
            ("CN=Duke,OU=ServiceUsers,O=Org,C=US", "duke"),
            ("CN=Duke,OU=SME,O=mycp,L=Fulton,ST=MD,C=US", "duke@sme"),
            ("cn=duke,ou=sme,dc=mycp,dc=com", "DUKE@SME"),
            ("cN=duke,OU=JavaSoft,O=Sun Microsystems", "DUKE"),
            ("OU=JavaSoft,O=Sun Microsystems,C=US", "OU=JavaSoft,O=Sun Microsystems,C=US"),
        ] {
            assert_eq!(map(rules, name).as_deref(), Some(user), "{name}");
        }
    }

    #[test]
    fn the_first_rule_that_fits_the_whole_name_wins() {
        let rules = "RULE:CN=alice/first/,RULE:CN=(.*)/second-$1/";
        assert_eq!(map(rules, "CN=alice").as_deref(), Some("first"));
        assert_eq!(map(rules, "CN=alice2").as_deref(), Some("second-alice2"));
        assert_eq!(map(rules, "OU=x,CN=alice"), None);
        assert_eq!(map("RULE:a|ab/x/", "ab").as_deref(), Some("x"), "the whole name, not its beginning");
        assert_eq!(map("RULE:^CN=(.*)$/$1/", "CN=a\nCN=admin"), None, "a line is not the whole name");
    }

    #[test]
    fn without_rules_the_name_is_the_users() {
        for rules in ["", "  ", "DEFAULT"] {
            assert_eq!(map(rules, "CN=Alice,O=b").as_deref(), Some("CN=Alice,O=b"));
        }
    }

    #[test]
    fn letters_can_be_changed() {
        assert_eq!(map("RULE:.*/Ab/L", "x").as_deref(), Some("ab"));
        assert_eq!(map("RULE:.*/Ab/U", "x").as_deref(), Some("AB"));
        assert_eq!(map("RULE:.*/Ab/", "x").as_deref(), Some("Ab"));
    }

    #[test]
    fn a_text_that_is_no_rule_is_refused_with_its_place() {
        for (rules, number, what) in [
            ("DEFAUL", 1, "begins neither with RULE:"),
            ("RULE:a", 1, "have to end with a slash"),
            ("RULE:a/b", 1, "have to end with a slash"),
            ("DEFAULT, rule:a/b/", 2, "begins neither with RULE:"),
            ("RULE:a/b/LU", 1, "a comma is missing before 'U'"),
            ("RULE:(/b/", 1, "unclosed group"),
            (r"RULE:(?=a)/b/", 1, "look-around"),
            ("RULE:(a{1000}){1000}/b/", 1, "size"),
        ] {
            let error = rules.parse::<MappingRules>().unwrap_err();
            assert_eq!(error.number, number, "{rules}: {error}");
            assert!(error.what.contains(what), "{rules}: {error}");
        }
        let many = vec!["DEFAULT"; MAX_RULES + 1].join(",");
        assert!(many.parse::<MappingRules>().is_err());
    }
}
