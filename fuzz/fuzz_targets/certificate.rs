//! The certificate of a client, in DER: reading it fails or gives names, and who it stands for is a principal that an ACL
//! can name, by whichever of its names.
#![no_main]

use libfuzzer_sys::fuzz_target;
use schloss_identity::{CertificateIdentity, MAX_USER_NAME_BYTES, MappingRules, NameSource};
use schloss_pki::PeerCertificate;

const RULES: &str = r"RULE:^CN=([^,]+),OU=([^,]+).*$/$1@$2/L,RULE:^spiffe:\/\/([^\/]+)\/(.*)$/$2/U,DEFAULT";

fuzz_target!(|data: &[u8]| {
    let Ok(certificate) = PeerCertificate::read(&data.into()) else { return };
    let rules: [MappingRules; 2] = [String::new(), RULES.to_owned()].map(|text| text.parse().expect("rules"));
    for rules in rules {
        for source in [NameSource::Subject, NameSource::DnsName, NameSource::Uri, NameSource::Email] {
            let identity = CertificateIdentity { source, rules: rules.clone() };
            if let Ok(principal) = identity.principal(&certificate) {
                let name = principal.name();
                assert!(!name.is_empty() && name.len() <= MAX_USER_NAME_BYTES, "{name:?}");
                assert!(!name.chars().any(char::is_control), "{name:?}");
                assert_eq!(principal.as_str().parse().as_ref(), Ok(&principal));
            }
        }
    }
});
