//! The Java that runs Apache Kafka and both servers' clients, and Kafka's programs in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};

use super::process::Process;

/// Where Debian and others install Java.
const JVMS: &str = "/usr/lib/jvm";
/// The oldest Java that runs the servers of Kafka 4.
const OLDEST: u32 = 17;
/// What an administrative tool may take.
const TOOL_LIMIT: Duration = Duration::from_secs(120);

/// One Java with Kafka's jars.
pub(super) struct Java {
    program: PathBuf,
    /// Such as `Temurin-25.0.1`.
    pub(super) version: String,
    jars: PathBuf,
    /// Such as `4.3.1`.
    pub(super) kafka_version: String,
}

impl Java {
    /// Takes `chosen`, or else the newest Java here, which is the best for Kafka.
    ///
    /// # Errors
    /// There is none, or `jars` has no Kafka.
    pub(super) fn find(chosen: Option<&Path>, jars: &Path) -> anyhow::Result<Self> {
        let program = match chosen {
            Some(program) => program.to_owned(),
            None => newest().unwrap_or_else(|| "java".into()),
        };
        let output = Command::new(&program)
            .arg("-version")
            .output()
            .with_context(|| format!("can't start {}: install Java {OLDEST} or newer", program.display()))?;
        let text = String::from_utf8_lossy(&output.stderr);
        let version = version_line(&text)
            .with_context(|| format!("can't understand what '{} -version' says", program.display()))?;
        Ok(Self { program, version, kafka_version: kafka_version(jars)?, jars: jars.to_owned() })
    }

    /// A program of Kafka with the options `jvm` of the virtual machine.
    pub(super) fn command(&self, jvm: &[&str], class: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(jvm).arg("-cp").arg(self.jars.join("*")).arg(class);
        // Options from the caller's surroundings would change what is measured.
        for name in ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs an administrative tool of Kafka to its end.
    ///
    /// # Errors
    /// The tool's.
    pub(super) fn tool(&self, class: &str, arguments: &[&str], log: &Path) -> anyhow::Result<()> {
        let mut command = self.command(TOOL_HEAP, class);
        Process::start(class, command.args(arguments), log)?.wait(TOOL_LIMIT)
    }
}

/// As kafka-run-class has it for tools.
const TOOL_HEAP: &[&str] = &["-Xmx256M"];

fn newest() -> Option<PathBuf> {
    let homes = fs::read_dir(JVMS).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    homes
        .filter(|home| home.join("bin/java").is_file())
        .filter_map(|home| Some((major(&fs::read_to_string(home.join("release")).ok()?)?, home)))
        .filter(|(major, _)| *major >= OLDEST)
        .max()
        .map(|(_, home)| home.join("bin/java"))
}

/// The major version in a Java's `release` file.
fn major(release: &str) -> Option<u32> {
    let value = release.lines().find_map(|line| line.strip_prefix("JAVA_VERSION="))?;
    value.trim_matches('"').split(['.', '-', '+']).next()?.parse().ok()
}

/// Vendor and version from the second line of `java -version`.
fn version_line(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.contains("Runtime Environment"))?;
    let (product, build) = line.split_once("(build ").unwrap_or((line, ""));
    let version = product.split_once("Runtime Environment").map_or("", |(_, version)| version).trim();
    let build = build.trim_end_matches(')');
    Some(if version.is_empty() { build.to_owned() } else { format!("{version} ({build})") })
}

fn kafka_version(jars: &Path) -> anyhow::Result<String> {
    for entry in fs::read_dir(jars).with_context(|| format!("can't read {}", jars.display()))? {
        let name = entry?.file_name();
        let version =
            name.to_str().and_then(|name| name.strip_prefix("kafka-clients-")?.strip_suffix(".jar"));
        if let Some(version) = version {
            return Ok(version.to_owned());
        }
    }
    bail!("no kafka-clients in {}", jars.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_a_release_file() {
        assert_eq!(major("IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"17.0.15\"\n"), Some(17));
        assert_eq!(major("JAVA_VERSION=\"25\"\n"), Some(25));
        assert_eq!(major("JAVA_VERSION=\"26-ea\"\n"), Some(26));
        assert_eq!(major("nothing"), None);
    }

    #[test]
    fn vendor_and_build_are_read_from_what_java_says() {
        let temurin = "openjdk version \"25.0.1\" 2025-10-21 LTS\n\
                       OpenJDK Runtime Environment Temurin-25.0.1+8 (build 25.0.1+8-LTS)\n";
        assert_eq!(version_line(temurin).unwrap(), "Temurin-25.0.1+8 (25.0.1+8-LTS)");
        let debian = "OpenJDK Runtime Environment (build 17.0.15+6-Debian-1deb12u1)\n";
        assert_eq!(version_line(debian).unwrap(), "17.0.15+6-Debian-1deb12u1");
        assert_eq!(version_line("command not found"), None);
    }

    #[test]
    fn the_version_of_kafka_is_that_of_its_clients() {
        let jars = tempfile::tempdir().unwrap();
        assert!(kafka_version(jars.path()).is_err());
        fs::write(jars.path().join("kafka-clients-4.3.1.jar"), "").unwrap();
        assert_eq!(kafka_version(jars.path()).unwrap(), "4.3.1");
    }
}
