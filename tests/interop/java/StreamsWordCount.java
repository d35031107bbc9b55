import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/**
 * FILE INPUT OUTPUT APPLICATION_ID classic|streams STATE_DIRECTORY: counts words exactly once, with the named group
 * protocol; repartition and changelog topics are made on the way.
 */
public final class StreamsWordCount {
    private static final List<String> LINES = List.of("lock the door", "the castle", "lock the castle");
    private static final Map<String, Long> COUNTS = Map.of("lock", 2L, "the", 3L, "door", 1L, "castle", 2L);

    public static void main(String[] arguments) {
        Common.main(() -> run(arguments));
    }

    private static void run(String[] arguments) throws Exception {
        String file = arguments[0], input = arguments[1], output = arguments[2];
        Common.produce(file, input, 1, LINES);
        Properties settings = new Properties();
        settings.putAll(Common.settings(file,
            "application.id", arguments[3], "group.protocol", arguments[4], "state.dir", arguments[5],
            "processing.guarantee", "exactly_once_v2", "commit.interval.ms", "200", "auto.offset.reset", "earliest",
            "default.key.serde", Serdes.StringSerde.class, "default.value.serde", Serdes.StringSerde.class));
        // Streams brings its own.
        for (String key : List.of("key.serializer", "value.serializer", "key.deserializer", "value.deserializer")) {
            settings.remove(key);
        }
        StreamsBuilder builder = new StreamsBuilder();
        builder.<String, String>stream(input)
            .flatMapValues(line -> Arrays.asList(line.split(" ")))
            .groupBy((key, word) -> word, Grouped.as("words"))
            .count(Materialized.as("counts"))
            .toStream().to(output, Produced.with(Serdes.String(), Serdes.Long()));
        Throwable[] failed = {null};
        try (KafkaStreams streams = new KafkaStreams(builder.build(), settings)) {
            streams.setUncaughtExceptionHandler(error -> {
                failed[0] = error.getCause() == null ? error : error.getCause();
                return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
            });
            streams.start();
            System.out.println("counts " + read(file, output, failed));
        }
    }

    private static Map<String, Long> read(String file, String output, Throwable[] failed) throws Exception {
        Map<String, Long> counts = new HashMap<>();
        try (KafkaConsumer<String, Long> consumer = new KafkaConsumer<>(Common.settings(file,
                "isolation.level", "read_committed", "value.deserializer", LongDeserializer.class,
                "auto.offset.reset", "earliest"))) {
            consumer.assign(consumer.partitionsFor(output, Duration.ofSeconds(20)).stream()
                .map(info -> new org.apache.kafka.common.TopicPartition(info.topic(), info.partition())).toList());
            Common.await("the counts, got " + counts, () -> {
                if (failed[0] instanceof Exception) {
                    throw (Exception) failed[0];
                }
                for (ConsumerRecord<String, Long> record : consumer.poll(Common.POLL)) {
                    counts.put(record.key(), record.value());
                }
                return counts.equals(COUNTS);
            });
        }
        return counts;
    }
}
