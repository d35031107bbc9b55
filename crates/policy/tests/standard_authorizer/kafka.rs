//! Apache Kafka's StandardAuthorizer in a process of its own: `AskStandardAuthorizer.java`, spoken to line by line.
#![allow(dead_code, reason = "the test and the benchmark each use their part")]
#![allow(unreachable_pub, reason = "a module of tests and of a benchmark")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests are tests too")]

use std::io::{BufRead, BufReader, Lines};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use schloss_policy::{Acl, Operation, ResourceType};
use schloss_wire::Principal;

pub struct Kafka {
    process: Child,
    pub stdin: Option<ChildStdin>,
    pub answers: Lines<BufReader<ChildStdout>>,
    _classes: tempfile::TempDir,
}

impl Kafka {
    /// Compiles and starts it with the jars that `KAFKA_LIBS` names.
    pub fn start() -> Self {
        let libs =
            PathBuf::from(std::env::var_os("KAFKA_LIBS").expect("KAFKA_LIBS names the jars of Apache Kafka"));
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        // Programs are started elsewhere than where the path was written.
        let libs = if libs.is_absolute() { libs } else { root.join("../..").join(libs) };
        let classes = tempfile::tempdir().unwrap();
        let jars = format!("{}/*", libs.display());
        let source = root.join("tests/standard_authorizer/AskStandardAuthorizer.java");
        let mut javac = Command::new("javac");
        javac.args(["-nowarn", "-cp", &jars, "-d"]).arg(classes.path()).arg(source);
        assert!(javac.status().expect("a JDK is installed").success());
        let mut process = Command::new("java")
            .args(["-Xmx1g", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp"])
            .arg(format!("{jars}:{}", classes.path().display()))
            .arg("AskStandardAuthorizer")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, stdin, answers, _classes: classes }
    }

    /// The next line that it says.
    pub fn answer(&mut self) -> String {
        self.answers.next().expect("it answers").unwrap()
    }

    /// Waits for its end, once nothing more is told to it.
    pub fn end(mut self) {
        drop(self.stdin.take());
        assert!(self.process.wait().unwrap().success());
    }
}

/// The line that tells an ACL.
pub fn told(acl: &Acl) -> String {
    let Acl { resource_type, pattern_type, resource_name, principal, host, operation, permission } = acl;
    let [kind, pattern] = [resource_type.code(), pattern_type.code()];
    let [operation, permission] = [operation.code(), permission.code()];
    format!("A\t{kind}\t{resource_name}\t{pattern}\t{principal}\t{host}\t{operation}\t{permission}\n")
}

/// The line that asks whether something is allowed, or with `R` takes it among the requests to measure.
pub fn asked(
    letter: char,
    (principal, host): (&Principal, IpAddr),
    operation: Operation,
    kind: ResourceType,
    name: &str,
) -> String {
    format!("{letter}\t{principal}\t{host}\t{}\t{}\t{name}\n", operation.code(), kind.code())
}
