//! What to do next, to be copied and pasted.

use super::accounts::{ADMIN, CONSUMER, GROUP, PRODUCER};
use super::{Place, screen};

/// Prints it.
///
/// # Errors
/// Standard output is gone.
pub(super) fn print(place: &Place) -> anyhow::Result<()> {
    let (topic, bootstrap) = (&place.topic, place.bootstrap());
    let clients = place.root.join("clients");
    let clients = clients.display();
    let data = place.root.display();
    // As it was started: it need not be on the PATH.
    let schloss = std::env::current_exe().unwrap_or_else(|_| "schloss".into());
    let schloss = schloss.display();
    screen::line(format_args!(
        r##"
What to do next (copy and paste)

  kcat
    echo 'first order' | kcat -F {clients}/{PRODUCER}.conf -P -t {topic}
    kcat -F {clients}/{CONSUMER}.conf -G {GROUP} -o beginning {topic}

  Python (pip install confluent-kafka)
    from confluent_kafka import Producer
    conf = dict(line.strip().split("=", 1) for line in open("{clients}/{PRODUCER}.conf") if line[0] != "#")
    producer = Producer(conf); producer.produce("{topic}", b"from python"); producer.flush()

  Java console tools (Apache Kafka 4)
    kafka-console-producer.sh --bootstrap-server {bootstrap} --command-config {clients}/{PRODUCER}.properties --topic {topic}
    kafka-console-consumer.sh --bootstrap-server {bootstrap} --command-config {clients}/{CONSUMER}.properties --topic {topic} --from-beginning

  Administration
    {schloss} user add alice --client {clients}/{ADMIN}.properties
    {schloss} acl add --allow-principal User:alice --operation read --topic {topic} --client {clients}/{ADMIN}.properties
    {schloss} audit query --decision denied --data-dir {data}
"##
    ))
}
