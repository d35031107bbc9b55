use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::file::parse;
use super::{Config, ConfigError};

/// A directory with certificate and key files, and a configuration that is right but for what a test changes.
struct Fixture {
    directory: tempfile::TempDir,
}

const GOOD: &str = r#"data_dir = "data"
node_id = 3
super_users = ["User:admin"]

[[listener]]
name = "secure"
bind = ["127.0.0.1:9092", "[::1]:9092"]
advertised_host = "localhost"
tls_certificate = "server.pem"
tls_key = "server.key"

[limits]
max_connections = 500

[log]
durability = "fsync"
"#;

impl Fixture {
    fn new() -> Self {
        let fixture = Self { directory: tempfile::tempdir().unwrap() };
        fixture.write("server.pem", "", 0o644);
        fixture.write("server.key", "", 0o600);
        fixture
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn load(&self, text: &str) -> Result<Config, ConfigError> {
        parse(&self.path("schloss.toml"), text)
    }

    /// The error of `text`, without the directory before the file's name.
    fn error(&self, text: &str) -> String {
        let error = self.load(text).err().expect("refused").to_string();
        error.replace(&format!("{}/", self.directory.path().display()), "")
    }
}

#[test]
fn a_good_file_is_taken_with_its_defaults() {
    let fixture = Fixture::new();
    let config = fixture.load(GOOD).unwrap();
    assert_eq!(config.node_id, 3);
    assert_eq!(config.data_dir, fixture.path("data"));
    assert_eq!(config.audit.directory, fixture.path("data/audit"));
    assert_eq!(config.limits.max_connections, 500);
    assert_eq!(config.limits.max_request_bytes, 100 << 20);
    assert_eq!(config.advertised()["secure"], ("localhost".to_owned(), 9092));
    assert_eq!(config.listeners[0].bind.len(), 2);
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.error(&GOOD.replace("max_connections = 500", "max_conections = 500")),
        "schloss.toml:13: limits.max_conections: unknown key 'max_conections'; did you mean 'max_connections'?"
    );
    let far = fixture.error(&format!("zzz = 1\n{GOOD}"));
    assert!(far.starts_with("schloss.toml:1: zzz: unknown key 'zzz'; known here: data_dir, "), "{far}");
}

#[test]
fn a_wrong_type_is_named_with_its_line_and_key() {
    let fixture = Fixture::new();
    let error = fixture.error(&GOOD.replace("node_id = 3", "node_id = \"three\""));
    assert!(error.starts_with("schloss.toml:2: node_id: invalid type: string \"three\""), "{error}");
}

#[test]
fn impossible_values_are_refused_one_by_one() {
    let fixture = Fixture::new();
    for (from, to, expected) in [
        (
            "max_connections = 500",
            "max_connections = 0",
            "schloss.toml:13: limits.max_connections: 0 is impossible",
        ),
        ("\"fsync\"", "\"maybe\"", "schloss.toml:16: log.durability: 'maybe' is neither"),
        ("127.0.0.1:9092", "localhost", "schloss.toml:7: listener.bind: 'localhost' is not an address"),
        ("[::1]:9092", "[::1]:0", "schloss.toml:7: listener.bind: [::1]:0 has port 0"),
        ("User:admin", "admin", "schloss.toml:3: super_users: 'admin' is not a principal"),
        ("node_id = 3", "node_id = -1", "schloss.toml:2: node_id: must be 0 to"),
        ("server.pem", "nowhere.pem", "schloss.toml:9: listener.tls_certificate: nowhere.pem is no file"),
        (
            "tls_key",
            "mechanisms = [\"PLAIN\"]\ntls_key",
            "schloss.toml:10: listener.mechanisms: 'PLAIN' is not a mechanism",
        ),
    ] {
        let error = fixture.error(&GOOD.replace(from, to));
        assert!(error.starts_with(expected), "{error}");
    }
    let none = GOOD.split("[[listener]]").next().unwrap();
    assert_eq!(
        fixture.error(none),
        "schloss.toml: listener: is missing; add a [[listener]] section with name, bind and TLS files"
    );
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    let fixture = Fixture::new();
    fixture.write("server.key", "", 0o640);
    let error = fixture.error(GOOD);
    assert!(
        error.contains("listener.tls_key: server.key can be read by others (mode 0640): run 'chmod 600"),
        "{error}"
    );
}

#[test]
fn a_password_in_clear_needs_a_private_file() {
    let fixture = Fixture::new();
    let text = format!("{GOOD}\n[bootstrap]\nuser = \"admin\"\npassword = \"hunter2hunter2\"\n");
    fixture.write("schloss.toml", &text, 0o644);
    let error = fixture.error(&text);
    assert!(error.contains("bootstrap.password: a password stands here in clear, but"), "{error}");
    assert!(!error.contains("hunter2"), "the error must not repeat the password: {error}");
    fixture.write("schloss.toml", &text, 0o600);
    assert_eq!(fixture.load(&text).unwrap().bootstrap.unwrap().password.expose(), "hunter2hunter2");
}

#[test]
fn a_password_of_a_wrong_type_is_not_repeated() {
    let fixture = Fixture::new();
    for value in ["271828", "[\"271828\"]"] {
        let error = fixture.error(&format!("{GOOD}\n[bootstrap]\nuser = \"admin\"\npassword = {value}\n"));
        assert!(error.contains("bootstrap.password: is not readable"), "{error}");
        assert!(!error.contains("271828"), "{error}");
    }
}

#[test]
fn passwords_come_from_private_files_and_from_the_environment() {
    let fixture = Fixture::new();
    fixture.write("secret", "from the file\n", 0o600);
    let file = format!("{GOOD}\n[bootstrap]\nuser = \"admin\"\npassword_file = \"secret\"\n");
    assert_eq!(fixture.load(&file).unwrap().bootstrap.unwrap().password.expose(), "from the file");
    fixture.write("secret", "from the file\n", 0o604);
    assert!(fixture.error(&file).contains("bootstrap.password_file: secret can be read by others"));
    let unset = format!("{GOOD}\n[bootstrap]\nuser = \"admin\"\npassword_env = \"SCHLOSS_TEST_UNSET\"\n");
    assert!(fixture.error(&unset).contains("environment variable SCHLOSS_TEST_UNSET is not set"));
    let both = format!("{file}password_env = \"X\"\n");
    assert!(fixture.error(&both).contains("needs exactly one of password_file, password_env and password"));
}

#[test]
fn a_missing_file_says_how_to_get_one() {
    let error = Config::load(Path::new("/nonexistent/schloss.toml")).err().expect("refused").to_string();
    assert!(
        error.contains("/nonexistent/schloss.toml: can't be read") && error.contains("quickstart"),
        "{error}"
    );
}
