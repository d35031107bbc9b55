//! Mapping rules of certificates and of Kerberos, and a name for both: whatever the rules are, they end, and what those
//! of Kerberos make of a name is a user's.
#![no_main]

use libfuzzer_sys::fuzz_target;
use schloss_identity::{KerberosRules, MappingRules, check_user_name};

fuzz_target!(|data: (&str, &str, &str)| {
    let (rules, realm, name) = data;
    if let Ok(rules) = rules.parse::<MappingRules>() {
        let _ = rules.apply(name);
    }
    let lines: Vec<&str> = rules.lines().collect();
    if let Ok(rules) = KerberosRules::read(realm, &lines)
        && let Ok(user) = rules.apply(name)
    {
        assert!(check_user_name(&user).is_ok() && !user.contains(['/', '@']), "{user:?}");
        assert!(name.contains('@') && !name.contains('\\'), "{name:?}");
    }
});
