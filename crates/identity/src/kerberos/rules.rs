//! `sasl.kerberos.principal.to.local.rules` of Kafka: from a Kerberos name to a user's.

use std::sync::LazyLock;

use regex::Regex;

use super::name::{KerberosName, KerberosNameError};
use crate::check_user_name;
use crate::substitution::{Case, MAX_RULES, Piece, RuleError, Template, pattern, whole_pattern};
use crate::user::shown;

/// Longest rule, in bytes.
const MAX_RULE_BYTES: usize = 4096;
/// Most parts that a rule can be for. Names here have two at most; rules for more are taken and fit none.
const MAX_PARTS: usize = 9;

/// Rules, tried in their order; the first one that fits makes the user's name.
#[derive(Clone, Debug)]
pub struct KerberosRules {
    realm: String,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
enum Rule {
    /// The first part of each name in the own realm.
    Default,
    Shaped(Box<Shaped>),
}

/// `RULE:[parts:shape](fits)s/from/to/g/L`.
#[derive(Clone, Debug)]
struct Shaped {
    parts: usize,
    shape: Template,
    fits: Option<Regex>,
    change: Option<Change>,
    case: Case,
}

#[derive(Clone, Debug)]
struct Change {
    from: Regex,
    to: Template,
    everywhere: bool,
}

/// A rule as Kafka reads it (`KerberosShortNamer`), named and held at both ends.
static GRAMMAR: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let shape = r"\[(?<parts>\d*):(?<shape>[^\]]*)\]";
    let change = r"(?:s/(?<from>[^/]*)/(?<to>[^/]*)/(?<everywhere>g)?)?";
    Regex::new(&format!(r"\ARULE:{shape}(?:\((?<fits>[^)]*)\))?{change}/?(?<case>L|U)?\z")).ok()
});

impl KerberosRules {
    /// Reads rules in Kafka's syntax, each `DEFAULT` or `RULE:[n:shape](pattern)s/from/to/g/L`, in which all behind the
    /// bracket may be left out; none at all is the one rule `DEFAULT`. That one is for names of `realm`.
    ///
    /// # Errors
    /// The first rule that is none, or too many.
    pub fn read<T: AsRef<str>>(realm: &str, rules: &[T]) -> Result<Self, RuleError> {
        if rules.len() > MAX_RULES {
            let what = format!("there can be no more than {MAX_RULES} rules");
            return Err(RuleError { number: MAX_RULES + 1, what });
        }
        let rule = |(index, text): (usize, &T)| {
            read(text.as_ref()).map_err(|what| RuleError { number: index + 1, what })
        };
        let mut rules = rules.iter().enumerate().map(rule).collect::<Result<Vec<_>, _>>()?;
        if rules.is_empty() {
            rules.push(Rule::Default);
        }
        Ok(Self { realm: realm.to_owned(), rules })
    }

    /// The user's name for that of a principal, such as `alice@EXAMPLE.COM`.
    ///
    /// # Errors
    /// It is nobody's.
    pub fn apply(&self, name: &str) -> Result<String, KerberosNameError> {
        let parsed = KerberosName::read(name)?;
        for (index, rule) in self.rules.iter().enumerate() {
            let Some(made) = rule.apply(&parsed, &self.realm) else { continue };
            // No rule after it is tried, as in Kafka.
            if made.contains(['/', '@']) {
                let (number, made, name) = (index + 1, shown(&made), shown(name));
                return Err(KerberosNameError::NotSimple { number, made, name });
            }
            let user = rule.case().of(made);
            return match check_user_name(&user) {
                Ok(()) => Ok(user),
                Err(reason) => Err(KerberosNameError::NoUser { name: shown(name), reason }),
            };
        }
        Err(KerberosNameError::NoRule(shown(name)))
    }
}

impl Rule {
    fn apply(&self, name: &KerberosName<'_>, own_realm: &str) -> Option<String> {
        let rule = match self {
            Self::Default => return (name.realm == own_realm).then(|| name.first.to_owned()),
            Self::Shaped(rule) => rule,
        };
        if name.parts() != rule.parts {
            return None;
        }
        let text = rule.shape.text(|number| name.part(number));
        if rule.fits.as_ref().is_some_and(|fits| !fits.is_match(&text)) {
            return None;
        }
        Some(match &rule.change {
            Some(change) => change.apply(&text),
            None => text,
        })
    }

    fn case(&self) -> Case {
        match self {
            Self::Default => Case::AsItIs,
            Self::Shaped(rule) => rule.case,
        }
    }
}

impl Change {
    /// Java's `replaceAll` or `replaceFirst`. Unlike here, an empty match right behind another one counts there: `.*`
    /// is found twice.
    fn apply(&self, text: &str) -> String {
        let mut made = String::new();
        let (mut kept, mut start) = (0, 0);
        while let Some(groups) = self.from.captures_at(text, start) {
            let Some(found) = groups.get(0) else { break };
            made.push_str(&text[kept..found.start()]);
            made.push_str(&self.to.text(|number| groups.get(number).map_or("", |group| group.as_str())));
            kept = found.end();
            if !self.everywhere {
                break;
            }
            let next = text[kept..].chars().next();
            start = match next {
                _ if !found.is_empty() => kept,
                Some(next) => kept + next.len_utf8(),
                None => break,
            };
        }
        made.push_str(&text[kept..]);
        made
    }
}

fn read(text: &str) -> Result<Rule, String> {
    const SYNTAX: &str = "use DEFAULT or RULE:[1:$1@$0](pattern)s/from/to/g, and /L or /U for other letters";
    if text == "DEFAULT" {
        return Ok(Rule::Default);
    }
    if text.len() > MAX_RULE_BYTES {
        return Err(format!("it is longer than {MAX_RULE_BYTES} bytes"));
    }
    let found = GRAMMAR.as_ref().and_then(|grammar| grammar.captures(text));
    let found = found.ok_or_else(|| format!("'{text}' is no rule: {SYNTAX}"))?;
    let field = |name: &str| found.name(name).map(|field| field.as_str());
    let parts = field("parts").and_then(|parts| parts.parse().ok()).filter(|parts| *parts <= MAX_PARTS);
    let parts: usize =
        parts.ok_or_else(|| format!("'{text}' has no number of parts up to {MAX_PARTS}: {SYNTAX}"))?;
    let change = match (field("from"), field("to")) {
        (Some(from), Some(to)) => {
            let from = pattern(from)?;
            let to = Template::strict_replacement(to, from.captures_len() - 1)?;
            Some(Change { from, to, everywhere: field("everywhere").is_some() })
        }
        _ => None,
    };
    Ok(Rule::Shaped(Box::new(Shaped {
        parts,
        shape: shape(field("shape").unwrap_or_default(), parts)?,
        fits: field("fits").map(whole_pattern).transpose()?,
        change,
        case: match field("case") {
            Some("L") => Case::Lower,
            Some("U") => Case::Upper,
            _ => Case::AsItIs,
        },
    })))
}

/// What a rule puts together of the parts of a name: `$n` is the part of that number, `$0` the realm.
fn shape(text: &str, parts: usize) -> Result<Template, String> {
    let mut pieces = Vec::new();
    let mut between = text.split('$');
    pieces.extend(between.next().map(|plain| Piece::Text(plain.to_owned())));
    for piece in between {
        let digits = piece.len() - piece.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
        let (number, plain) = piece.split_at(digits);
        let number = number.parse().ok().filter(|number| *number <= parts);
        let number = number.ok_or_else(|| format!("'{text}' has a $ without a number from 0 to {parts}"))?;
        pieces.push(Piece::Group(number));
        pieces.push(Piece::Text(plain.to_owned()));
    }
    Ok(Template::new(pieces))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REALM: &str = "REALM.COM";

    fn map(rules: &[&str], name: &str) -> Result<String, KerberosNameError> {
        KerberosRules::read(REALM, rules).unwrap().apply(name)
    }

    /// The cases of Kafka's own `KerberosRuleTest` and `KerberosNameTest`.
    #[test]
    fn kafkas_own_cases_come_out_as_there() {
        let rules =
            ["RULE:[1:$1](App\\..*)s/App\\.(.*)/$1/g", "RULE:[2:$1](App\\..*)s/App\\.(.*)/$1/g", "DEFAULT"];
        for (name, user) in [
            ("App.service-name/example.com@REALM.COM", "service-name"),
            ("App.service-name@REALM.COM", "service-name"),
            ("user/host@REALM.COM", "user"),
            ("user@REALM.COM", "user"),
        ] {
            assert_eq!(map(&rules, name).as_deref(), Ok(user), "{name}");
        }
        let lower = [
            "RULE:[1:$1]/L",
            "RULE:[2:$1](Test.*)s/ABC///L",
            "RULE:[2:$1](ABC.*)s/ABC/XYZ/g/L",
            "RULE:[2:$1](App\\..*)s/App\\.(.*)/$1/g/L",
            "RULE:[2:$1]/L",
            "DEFAULT",
        ];
        for (name, user) in [
            ("User@REALM.COM", "user"),
            ("TestABC/host@FOO.COM", "test"),
            ("ABC_User_ABC/host@FOO.COM", "xyz_user_xyz"),
            ("App.SERVICE-name/example.com@REALM.COM", "service-name"),
            ("User/root@REALM.COM", "user"),
        ] {
            assert_eq!(map(&lower, name).as_deref(), Ok(user), "{name}");
        }
        let upper = [
            "RULE:[1:$1]/U",
            "RULE:[2:$1](Test.*)s/ABC///U",
            "RULE:[2:$1](ABC.*)s/ABC/XYZ/g/U",
            "RULE:[2:$1](App\\..*)s/App\\.(.*)/$1/g/U",
            "RULE:[2:$1]/U",
            "DEFAULT",
        ];
        for (name, user) in [
            ("User@REALM.COM", "USER"),
            ("TestABC/host@FOO.COM", "TEST"),
            ("ABC_User_ABC/host@FOO.COM", "XYZ_USER_XYZ"),
            ("App.service-name/example.com@REALM.COM", "SERVICE-NAME"),
            ("User/root@REALM.COM", "USER"),
        ] {
            assert_eq!(map(&upper, name).as_deref(), Ok(user), "{name}");
        }
    }

    #[test]
    fn a_name_that_no_rule_fits_is_nobody() {
        assert_eq!(map(&[], "alice@REALM.COM").as_deref(), Ok("alice"), "DEFAULT");
        for (rules, name) in [
            (&[][..], "alice@OTHER.COM"),
            (&[], "alice@realm.com"),
            (&["RULE:[2:$1]"], "alice@REALM.COM"),
            (&["RULE:[1:$1@$0](.*@REALM.COM)s/@.*//"], "alice@REALM.COM.EVIL"),
            (&["RULE:[1:$1](a|alice)"], "alicex@REALM.COM"),
        ] {
            assert_eq!(map(rules, name), Err(KerberosNameError::NoRule(name.to_owned())), "{rules:?}");
        }
    }

    #[test]
    fn a_rule_that_leaves_a_part_or_makes_no_user_ends_it() {
        let left = map(&["RULE:[1:$1@$0]", "DEFAULT"], "alice@REALM.COM");
        assert!(matches!(left, Err(KerberosNameError::NotSimple { number: 1, .. })), "{left:?}");
        let empty = map(&["RULE:[1:$1]s/.*//", "DEFAULT"], "alice@REALM.COM");
        assert!(matches!(empty, Err(KerberosNameError::NoUser { .. })), "{empty:?}");
        let long = map(&["RULE:[1:$1]s/a/aaaaaaaaaaaaaaaa/g"], &format!("{}@R", "a".repeat(100)));
        assert!(matches!(long, Err(KerberosNameError::NoUser { .. })), "{long:?}");
    }

    #[test]
    fn replacing_everywhere_counts_empty_matches_as_java_does() {
        for (change, user) in [
            ("s/.*/x/", "x"),
            ("s/.*/x/g", "xx"),
            ("s/b*/x/g", "xaxxcx"),
            ("s/(a)|b/<$1>/g", "<a><>c"),
            ("s/^/x/g", "xabc"),
            ("s/$/x/g", "abcx"),
            ("s/c/$0$0/g", "abcc"),
        ] {
            assert_eq!(map(&[&format!("RULE:[1:$1]{change}")], "abc@R").as_deref(), Ok(user), "{change}");
        }
        assert_eq!(map(&["RULE:[1:$1]s/x*/-/g"], "äö@R").as_deref(), Ok("-ä-ö-"));
    }

    #[test]
    fn a_text_that_is_no_rule_is_refused_with_its_place() {
        for (rules, number, what) in [
            (&["default"][..], 1, "is no rule"),
            (&["DEFAULT", "DEFAULT/L"], 2, "is no rule"),
            (&["RULE:[1:$1]/LU"], 1, "is no rule"),
            (&["RULE:[1:$1"], 1, "is no rule"),
            (&["RULE:[1:$1]s/a/b"], 1, "is no rule"),
            (&["RULE:[1:$1]s/a/b/gL/x"], 1, "is no rule"),
            (&["RULE:[:$1]"], 1, "no number of parts"),
            (&["RULE:[10:$1]"], 1, "no number of parts"),
            (&["RULE:[1:$2]"], 1, "a $ without a number from 0 to 1"),
            (&["RULE:[1:$]"], 1, "a $ without a number from 0 to 1"),
            (&["RULE:[1:$1]([a)"], 1, "unclosed character class"),
            (&["RULE:[1:$1](a(b)"], 1, "unclosed group"),
            (&["RULE:[1:$1]s/a/$1/"], 1, "a $ without one of the 0 groups"),
            (&["RULE:[1:$1]s/(?=a)/b/"], 1, "look-around"),
        ] {
            let error = KerberosRules::read(REALM, rules).unwrap_err();
            assert_eq!(error.number, number, "{rules:?}: {error}");
            assert!(error.what.contains(what), "{rules:?}: {error}");
        }
        let many = vec!["DEFAULT"; MAX_RULES + 1];
        assert!(KerberosRules::read(REALM, &many).is_err());
        let long = format!("RULE:[1:{}]", "x".repeat(MAX_RULE_BYTES));
        assert!(KerberosRules::read(REALM, &[long]).unwrap_err().what.contains("longer than"));
    }

    /// What `KerberosShortNamer` of Apache Kafka 4.3.1 makes of random rules and names: rules, name, and user, if any.
    #[test]
    fn kafka_makes_the_same_users() {
        let mut made = 0;
        for line in include_str!("kafka_users.tsv").lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let rules: Vec<&str> = fields[0].split(' ').collect();
            let ours = KerberosRules::read("R", &rules).unwrap().apply(fields[1]);
            assert_eq!(ours.as_deref().unwrap_or_default(), fields[2], "{line}: {ours:?}");
            made += usize::from(ours.is_ok());
        }
        assert!(made > 100, "{made}");
    }

    proptest! {
        /// Whatever the rules are, a user's name is simple, and only the own realm is the default one.
        #[test]
        fn what_comes_out_is_a_simple_name(
            rule in r"RULE:\[[12]:[$012a@/.*]{0,6}\](\([a-c.*+@/$]{0,6}\))?(s/[a-c.*@]{0,4}/[a-c$0/@]{0,3}/g?)?(/[LU])?",
            name in r"[a-cA-C*.$]{0,5}(/[a-c.]{0,5})?@(REALM\.COM|[a-c.]{1,5})",
        ) {
            if let Ok(rules) = KerberosRules::read(REALM, &[&rule])
                && let Ok(user) = rules.apply(&name)
            {
                prop_assert!(!user.is_empty() && !user.contains(['/', '@']), "{}", user);
            }
            let by_default = map(&[], &name).is_ok();
            prop_assert!(!by_default || name.ends_with("@REALM.COM"));
        }

        /// Any text is read or refused, without a panic.
        #[test]
        fn any_text_is_read_or_refused(rule in ".{0,60}", name in ".{0,60}") {
            if let Ok(rules) = KerberosRules::read(REALM, &[rule]) {
                let _ = rules.apply(&name);
            }
        }
    }
}
