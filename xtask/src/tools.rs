//! Third parties that the tests need, installed where they are missing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::command::{exists, run};
use crate::{root, work_dir};

/// What the interop suite runs with.
pub(crate) struct Tools {
    pub(crate) python: PathBuf,
    pub(crate) kafka_libs: PathBuf,
    pub(crate) node_modules: PathBuf,
}

/// What the feature `kerberos` needs at build.
const FOR_BUILDS: [(&str, &str); 3] =
    [("krb5-config", "libkrb5-dev"), ("clang", "clang"), ("pkg-config", "pkg-config")];

/// Installs what is missing for a build with all features.
///
/// # Errors
/// A package manager's.
pub(crate) fn for_builds() -> anyhow::Result<()> {
    debian(&FOR_BUILDS)
}

/// Installs what is missing: Debian packages as root, the rest under `target/interop`.
///
/// # Errors
/// A package manager's.
pub(crate) fn ensure() -> anyhow::Result<Tools> {
    fs::create_dir_all(work_dir())?;
    for_builds()?;
    // A library for kcat, and no program.
    let cyrus = format!("/usr/lib/{}-linux-gnu/sasl2/libgssapiv2.so", std::env::consts::ARCH);
    debian(&[
        ("/usr/sbin/krb5kdc", "krb5-kdc"),
        ("/usr/sbin/kadmin.local", "krb5-admin-server"),
        ("kinit", "krb5-user"),
        (&cyrus, "libsasl2-modules-gssapi-mit"),
        ("faketime", "faketime"),
        ("kcat", "kcat"),
        ("tcpdump", "tcpdump"),
        ("mvn", "maven"),
        ("npm", "npm"),
        ("javac", "default-jdk-headless"),
        ("openssl", "openssl"),
        ("slapd", "slapd"),
        ("ldapmodify", "ldap-utils"),
    ])?;
    Ok(Tools { python: python()?, kafka_libs: kafka_libs()?, node_modules: node_modules()? })
}

/// Installs the packages whose program is missing; without root the tests that need them say so. What would be a service
/// of the machine is not started.
///
/// # Errors
/// The package manager's.
pub(crate) fn debian(wanted: &[(&str, &str)]) -> anyhow::Result<()> {
    let missing: Vec<&str> =
        wanted.iter().filter(|(program, _)| !exists(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() || !exists("apt-get") {
        return Ok(());
    }
    println!("installing {}", missing.join(" "));
    let _kept_quiet = NoServices::start()?;
    run(Command::new("apt-get").args(["-qq", "update"]))?;
    run(Command::new("apt-get")
        .args(["-qq", "install", "-y", "--no-install-recommends"])
        .args(missing)
        .env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Debian starts services that it installs, unless a file says that it must not. Tests start their own, on ports of
/// their own.
struct NoServices(Option<&'static Path>);

impl NoServices {
    fn start() -> anyhow::Result<Self> {
        let policy = Path::new("/usr/sbin/policy-rc.d");
        if policy.exists() {
            return Ok(Self(None));
        }
        fs::write(policy, "#!/bin/sh\nexit 101\n")
            .with_context(|| format!("can't write {}", policy.display()))?;
        fs::set_permissions(policy, fs::Permissions::from_mode(0o755))?;
        Ok(Self(Some(policy)))
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Some(policy) = self.0 {
            let _ = fs::remove_file(policy);
        }
    }
}

/// A Python with the clients of the interop suite.
pub(crate) fn python() -> anyhow::Result<PathBuf> {
    let requirements = root().join("tests/interop/requirements.txt");
    let venv = work_dir().join("venv");
    let python = venv.join("bin/python");
    if !is_current(&requirements, &venv)? {
        println!("installing Python packages");
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        run(Command::new(&python).args(["-m", "pip", "install", "-q", "-r"]).arg(&requirements))?;
        mark_current(&requirements, &venv)?;
    }
    Ok(python)
}

/// Apache Kafka with its clients and tools.
pub(crate) fn kafka_libs() -> anyhow::Result<PathBuf> {
    let pom = root().join("tests/interop/pom.xml");
    let libs = work_dir().join("kafka-libs");
    if !is_current(&pom, &libs)? {
        println!("fetching Apache Kafka from Maven");
        let _ = fs::remove_dir_all(&libs);
        run(Command::new("mvn")
            .args(["-q", "-B", "dependency:copy-dependencies", "-f"])
            .arg(&pom)
            .arg(format!("-DoutputDirectory={}", libs.display())))?;
        mark_current(&pom, &libs)?;
    }
    Ok(libs)
}

fn node_modules() -> anyhow::Result<PathBuf> {
    let package = root().join("tests/interop/package.json");
    let directory = work_dir().join("node");
    fs::create_dir_all(&directory)?;
    if !is_current(&package, &directory)? {
        println!("installing Node packages");
        fs::copy(&package, directory.join("package.json"))?;
        run(Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund"])
            .current_dir(&directory))?;
        mark_current(&package, &directory)?;
    }
    Ok(directory.join("node_modules"))
}

/// Whether `installed` was made from `wanted` as it is now.
fn is_current(wanted: &Path, installed: &Path) -> anyhow::Result<bool> {
    let wanted = fs::read(wanted).with_context(|| format!("can't read {}", wanted.display()))?;
    Ok(fs::read(installed.join(STAMP)).is_ok_and(|stamp| stamp == wanted))
}

fn mark_current(wanted: &Path, installed: &Path) -> anyhow::Result<()> {
    fs::copy(wanted, installed.join(STAMP))?;
    Ok(())
}

/// A copy of what was installed from, written last.
const STAMP: &str = ".installed-from";
