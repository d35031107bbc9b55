//! Apache Kafka as a locked single node: KRaft, TLS, SCRAM, ACLs.

use std::fs;
use std::path::Path;
use std::rc::Rc;

use super::account::{Account, new_password};
use super::certificates::Certificates;
use super::java::Java;
use super::server::{Server, bootstrap, free_port};

/// When Kafka writes to disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Flush {
    /// Its default: whenever the operating system wants.
    Default,
    /// Before each append is answered.
    EveryAppend,
}

impl Flush {
    /// For names and reports.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Default => "default: no flush",
            Self::EveryAppend => "log.flush.interval.messages=1",
        }
    }
}

/// What `bin/kafka-server-start.sh` and `bin/kafka-run-class.sh` of Kafka 4.3 set, but for `-Xlog`, which follows.
pub(super) const JVM: &[&str] = &[
    "-Xmx1G",
    "-Xms1G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-Djava.awt.headless=true",
];

/// Formats a data directory in `directory`.
///
/// # Errors
/// Kafka's `format`, or the file system's.
pub(super) fn prepare(
    name: &str,
    directory: &Path,
    flush: Flush,
    certificates: &Certificates,
    java: &Rc<Java>,
) -> anyhow::Result<Server> {
    fs::create_dir_all(directory)?;
    let port = free_port()?;
    let password = new_password()?;
    let admin = Account::write(directory, "admin", password, &bootstrap(port), &certificates.ca)?;

    // Kafka wants the key before the chain, in one file.
    let keystore = directory.join("keystore.pem");
    let pem = fs::read_to_string(&certificates.key)? + &fs::read_to_string(&certificates.chain)?;
    fs::write(&keystore, pem)?;

    let configuration = directory.join("server.properties");
    let settings =
        settings(directory, port, free_port()?, &admin, &keystore, certificates, flush, &new_password()?);
    fs::write(&configuration, settings)?;

    let log = directory.join("server.log");
    let credential = format!("SCRAM-SHA-512=[name={},password={}]", admin.name, admin.password);
    let configuration = configuration.display().to_string();
    let arguments =
        ["format", "--standalone", "-t", CLUSTER_ID, "-c", &configuration, "--add-scram", &credential];
    java.tool("kafka.tools.StorageTool", &arguments, &log)?;

    let java = Rc::clone(java);
    let gc =
        format!("-Xlog:gc*:file={}:time,tags:filecount=10,filesize=100M", directory.join("gc.log").display());
    let command = Box::new(move || {
        let jvm: Vec<&str> = JVM.iter().copied().chain([gc.as_str()]).collect();
        let mut command = java.command(&jvm, "kafka.Kafka");
        command.arg(&configuration);
        command
    });
    Ok(Server { name: name.to_owned(), port, admin, log, command })
}

/// Any will do.
const CLUSTER_ID: &str = "c2NobG9zcy1iZW5jaG1hcg";

/// Everything that is not listed is Kafka's default.
#[expect(clippy::too_many_arguments, reason = "one place where the file is written, called once")]
fn settings(
    directory: &Path,
    port: u16,
    controller_port: u16,
    admin: &Account,
    keystore: &Path,
    certificates: &Certificates,
    flush: Flush,
    controller_password: &str,
) -> String {
    let (name, password) = (&admin.name, &admin.password);
    let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required";
    let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required";
    let flush = match flush {
        Flush::Default => "",
        Flush::EveryAppend => "log.flush.interval.messages=1\n",
    };
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}\n\
         listeners=SECURE://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}\n\
         advertised.listeners=SECURE://localhost:{port},CONTROLLER://127.0.0.1:{controller_port}\n\
         listener.security.protocol.map=SECURE:SASL_SSL,CONTROLLER:SASL_PLAINTEXT\n\
         inter.broker.listener.name=SECURE\n\
         controller.listener.names=CONTROLLER\n\
         sasl.enabled.mechanisms=SCRAM-SHA-512\n\
         sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512\n\
         sasl.mechanism.controller.protocol=PLAIN\n\
         listener.name.secure.scram-sha-512.sasl.jaas.config={scram} username=\"{name}\" password=\"{password}\";\n\
         listener.name.controller.sasl.enabled.mechanisms=PLAIN\n\
         listener.name.controller.plain.sasl.jaas.config={plain} username=\"{name}\" \
         password=\"{controller_password}\" user_{name}=\"{controller_password}\";\n\
         ssl.keystore.type=PEM\n\
         ssl.keystore.location={keystore}\n\
         ssl.truststore.type=PEM\n\
         ssl.truststore.location={ca}\n\
         ssl.enabled.protocols=TLSv1.3\n\
         authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
         super.users=User:{name}\n\
         allow.everyone.if.no.acl.found=false\n\
         log.dirs={data}\n\
         offsets.topic.replication.factor=1\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         {flush}",
        keystore = keystore.display(),
        ca = certificates.ca.display(),
        data = directory.join("data").display(),
    )
}
