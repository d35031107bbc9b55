import java.io.FileReader;
import java.io.Reader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** What every program here does: reads a client file, waits with a bound, and ends with 0 or 1. */
final class Common {
    static final Duration POLL = Duration.ofMillis(200);
    static final long LIMIT_MILLIS = 60_000;

    interface Body {
        void run() throws Exception;
    }

    interface Condition {
        boolean holds() throws Exception;
    }

    /** The client file plus pairs of key and value. */
    static Map<String, Object> settings(String file, Object... more) throws Exception {
        Properties properties = new Properties();
        try (Reader reader = new FileReader(file)) {
            properties.load(reader);
        }
        Map<String, Object> settings = new HashMap<>();
        properties.forEach((key, value) -> settings.put(key.toString(), value));
        settings.put("key.serializer", StringSerializer.class);
        settings.put("value.serializer", StringSerializer.class);
        settings.put("key.deserializer", StringDeserializer.class);
        settings.put("value.deserializer", StringDeserializer.class);
        for (int index = 0; index < more.length; index += 2) {
            settings.put((String) more[index], more[index + 1]);
        }
        return settings;
    }

    /** Runs the program; what it throws is its last line, as `failed CLASS: text`. */
    static void main(Body body) {
        try {
            body.run();
            System.out.println("ok");
            System.exit(0);
        } catch (Throwable error) {
            Throwable cause = cause(error);
            cause.printStackTrace();
            System.out.println("failed " + cause.getClass().getSimpleName() + ": " + cause.getMessage());
            System.exit(1);
        }
    }

    static Throwable cause(Throwable error) {
        return error instanceof ExecutionException && error.getCause() != null ? error.getCause() : error;
    }

    /** Repeats a condition that itself waits a little, until it holds. */
    static void await(String what, Condition condition) throws Exception {
        long end = System.currentTimeMillis() + LIMIT_MILLIS;
        while (!condition.holds()) {
            if (System.currentTimeMillis() > end) {
                throw new AssertionError("not within " + LIMIT_MILLIS + " ms: " + what);
            }
        }
    }

    static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    /** Writes the values to partitions in turn, acks=all. */
    static void produce(String file, String topic, int partitions, List<String> values) throws Exception {
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings(file))) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int index = 0; index < values.size(); index++) {
                sent.add(producer.send(new ProducerRecord<>(topic, index % partitions, null, values.get(index))));
            }
            for (Future<RecordMetadata> one : sent) {
                one.get();
            }
        }
    }

    static List<String> values(String prefix, int count) {
        List<String> values = new ArrayList<>();
        for (int index = 0; index < count; index++) {
            values.add(prefix + "-" + index);
        }
        return values;
    }

    /** Polls until `count` values have come, and once more for any that are too many. */
    static List<String> read(KafkaConsumer<String, String> consumer, int count) throws Exception {
        List<String> seen = new ArrayList<>();
        await(count + " records, got " + seen.size(), () -> {
            collect(consumer, seen);
            return seen.size() >= count;
        });
        collect(consumer, seen);
        return seen;
    }

    private static void collect(KafkaConsumer<String, String> consumer, List<String> seen) {
        for (ConsumerRecord<String, String> record : consumer.poll(POLL)) {
            seen.add(record.value());
        }
    }
}
