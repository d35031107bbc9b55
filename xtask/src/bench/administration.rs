//! What an administrator sets up at a server, with Kafka's own tools: accounts, ACLs, topics.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::account::{Account, new_password};
use super::clients::Clients;
use super::java::Java;
use super::server::Server;
use super::shape::Shape;

/// All topics and groups of the benchmark start with this; the ACLs are for it.
const PREFIX: &str = "bench-";
/// The topic of a contender's runs at a fixed rate.
pub(super) const PACED_TOPIC: &str = "paced";

/// An administrator at one running server.
pub(super) struct Administrator<'a> {
    pub(super) java: &'a Rc<Java>,
    pub(super) server: &'a Server,
    /// For files of clients and their output.
    pub(super) directory: PathBuf,
    pub(super) ca: &'a Path,
}

impl Administrator<'_> {
    /// Makes the topics of a contender for that many rounds and a warm-up, and `more` of the same shape.
    ///
    /// # Errors
    /// The tools'.
    pub(super) fn make_topics(
        &self,
        contender: &str,
        shape: Shape,
        rounds: u32,
        more: &[&str],
    ) -> anyhow::Result<()> {
        for name in more {
            self.make_topic(contender, shape, name)?;
        }
        (0..=rounds).try_for_each(|round| self.make_topic(contender, shape, &round.to_string()))
    }

    /// Makes an account that may write and one that may read.
    ///
    /// # Errors
    /// The tools'.
    pub(super) fn make_clients(&self) -> anyhow::Result<Clients> {
        let producer = self.make_account("bench-producer")?;
        self.tool(
            "org.apache.kafka.tools.AclCommand",
            &[&ACL[..], &["--allow-principal", "User:bench-producer", "--producer", "--topic", PREFIX]]
                .concat(),
        )?;
        let consumer = self.make_account("bench-consumer")?;
        self.tool(
            "org.apache.kafka.tools.AclCommand",
            &[
                &ACL[..],
                &[
                    "--allow-principal",
                    "User:bench-consumer",
                    "--consumer",
                    "--topic",
                    PREFIX,
                    "--group",
                    PREFIX,
                ],
            ]
            .concat(),
        )?;
        Ok(Clients {
            java: Rc::clone(self.java),
            bootstrap: self.server.bootstrap(),
            producer,
            consumer,
            logs: self.directory.clone(),
            payloads: None,
        })
    }

    fn make_account(&self, name: &str) -> anyhow::Result<Account> {
        let account =
            Account::write(&self.directory, name, new_password()?, &self.server.bootstrap(), self.ca)?;
        let credential = format!("SCRAM-SHA-512=[iterations=8192,password={}]", account.password);
        self.tool(
            "kafka.admin.ConfigCommand",
            &["--alter", "--entity-type", "users", "--entity-name", name, "--add-config", &credential],
        )?;
        Ok(account)
    }

    fn make_topic(&self, contender: &str, shape: Shape, name: &str) -> anyhow::Result<()> {
        let (topic, partitions) = (topic(contender, shape, name), shape.partitions.to_string());
        self.tool(
            "org.apache.kafka.tools.TopicCommand",
            &["--create", "--topic", &topic, "--partitions", &partitions, "--replication-factor", "1"],
        )
    }

    fn tool(&self, class: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let (bootstrap, file) = (self.server.bootstrap(), self.server.admin.properties.display().to_string());
        let log = self.directory.join("administration.log");
        let common = ["--bootstrap-server", bootstrap.as_str(), "--command-config", file.as_str()];
        self.java.tool(class, &[&common[..], arguments].concat(), &log)
    }
}

/// The full name of a contender's topic: both may be of one cluster.
pub(super) fn topic(contender: &str, shape: Shape, name: &str) -> String {
    format!("{PREFIX}{contender}-{}-{name}", shape.word())
}

const ACL: [&str; 3] = ["--add", "--resource-pattern-type", "prefixed"];
