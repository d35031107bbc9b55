//! A Kafka client in our own codec: TLS, SCRAM, producer, consumer and admin.
