//! What to do next, to be copied and pasted.

use std::path::Path;

use super::setup::{ADMIN, CONSUMER, GROUP, PRODUCER, TOPIC};

pub(super) fn print(root: &Path, host: &str, port: u16) {
    let clients = root.join("clients");
    let clients = clients.display();
    let data = root.display();
    // As it was started: it need not be on the PATH.
    let schloss = std::env::current_exe().unwrap_or_else(|_| "schloss".into());
    let schloss = schloss.display();
    println!(
        r##"
What to do next (copy and paste)

  kcat
    echo 'first order' | kcat -F {clients}/{PRODUCER}.conf -P -t {TOPIC}
    kcat -F {clients}/{CONSUMER}.conf -G {GROUP} -o beginning {TOPIC}

  Python (pip install confluent-kafka)
    from confluent_kafka import Producer
    conf = dict(line.strip().split("=", 1) for line in open("{clients}/{PRODUCER}.conf") if line[0] != "#")
    producer = Producer(conf); producer.produce("{TOPIC}", b"from python"); producer.flush()

  Java console tools (Apache Kafka 4)
    kafka-console-producer.sh --bootstrap-server {host}:{port} --command-config {clients}/{PRODUCER}.properties --topic {TOPIC}
    kafka-console-consumer.sh --bootstrap-server {host}:{port} --command-config {clients}/{CONSUMER}.properties --topic {TOPIC} --from-beginning

  Administration
    {schloss} user add alice --client {clients}/{ADMIN}.properties
    {schloss} acl add --allow-principal User:alice --operation read --topic {TOPIC} --client {clients}/{ADMIN}.properties
    {schloss} audit query --decision denied --data-dir {data}
"##
    );
}
