//! A policy document and questions about it, one a line, as the command line and the gate read them: nothing that can
//! be read makes compiling or answering fail, and an explanation says what the decision says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use schloss_metadata::security::{PolicyDocument, SecurityQuestion};
use schloss_policy::Subject;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let Some(document) = lines.next().and_then(|line| serde_json::from_slice::<PolicyDocument>(line).ok())
    else {
        return;
    };
    let rules = document.compile();
    for question in lines.filter_map(|line| serde_json::from_slice::<SecurityQuestion>(line).ok()) {
        match question {
            SecurityQuestion::Explain { asker, access } => {
                let told = rules.explain(&asker, &access);
                let host = asker.host.unwrap_or_else(|| [0, 0, 0, 0].into());
                let subject = Subject { principal: asker.principal, groups: asker.groups.into(), host };
                let decided =
                    rules.decide(&subject, access.operation, access.resource_type, &access.resource_name);
                assert_eq!(told.allowed, decided.allowed);
            }
            SecurityQuestion::WhoCan { access, host } => drop(rules.who_can(&access, host)),
            SecurityQuestion::RulesOf { asker } => drop(rules.rules_of(&asker)),
            _ => {}
        }
    }
});
