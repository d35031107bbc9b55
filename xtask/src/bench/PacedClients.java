import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.server.util.ThroughputThrottler;

/**
 * Writes at a fixed rate, as ProducerPerformance does with its throttle, while a consumer reads, and says how long
 * records took from before they were sent to their acknowledgement, and until the consumer had them. The tools of
 * Kafka do so in whole milliseconds, or for one record at a time. Prints two lines of ProducerPerformance's form.
 */
public final class PacedClients {
    /** How long the last records may take to the consumer. */
    private static final long DELIVERY_LIMIT_NANOS = 30_000_000_000L;

    public static void main(String[] arguments) throws Exception {
        Properties toWrite = settings(arguments[0], arguments[2]);
        Properties toRead = settings(arguments[1], arguments[2]);
        String topic = arguments[3];
        int recordBytes = Integer.parseInt(arguments[4]);
        int perSecond = Integer.parseInt(arguments[5]);
        int warmUp = Integer.parseInt(arguments[6]);
        int records = Integer.parseInt(arguments[7]);
        toWrite.put("acks", "all");
        // Waiting for more records would be most of what is measured.
        toWrite.put("linger.ms", "0");

        long[] sent = new long[records];
        long[] acknowledged = new long[records];
        AtomicReference<Exception> failure = new AtomicReference<>();
        Reader reader = new Reader(toRead, topic, records, failure);
        Thread reading = new Thread(reader, "reader");
        reading.start();
        reader.started.await();

        SplittableRandom random = new SplittableRandom(0);
        byte[] value = new byte[recordBytes];
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(toWrite, new ByteArraySerializer(), new ByteArraySerializer())) {
            ThroughputThrottler throttle = new ThroughputThrottler(perSecond, System.currentTimeMillis());
            for (int i = 0; i < records && failure.get() == null; i++) {
                ByteBuffer.wrap(value).putInt(i);
                for (int at = Integer.BYTES; at < recordBytes; at++) {
                    value[at] = (byte) ('A' + random.nextInt(26));
                }
                int index = i;
                long now = System.currentTimeMillis();
                sent[index] = System.nanoTime();
                producer.send(new ProducerRecord<>(topic, value), (metadata, error) -> {
                    acknowledged[index] = System.nanoTime();
                    if (error != null) {
                        failure.compareAndSet(null, error);
                    }
                });
                if (throttle.shouldThrottle(i, now)) {
                    throttle.throttle();
                }
            }
        }
        reader.deadline = System.nanoTime() + DELIVERY_LIMIT_NANOS;
        reading.join();
        if (failure.get() != null) {
            throw failure.get();
        }
        print("sent", recordBytes, warmUp, sent, acknowledged);
        print("delivered", recordBytes, warmUp, sent, reader.delivered);
    }

    private static Properties settings(String name, String bootstrap) throws IOException {
        Properties settings = new Properties();
        try (InputStream file = new FileInputStream(name)) {
            settings.load(file);
        }
        settings.put("bootstrap.servers", bootstrap);
        return settings;
    }

    private static void print(String what, int recordBytes, int warmUp, long[] from, long[] to) {
        long[] took = new long[from.length - warmUp];
        long last = 0;
        for (int i = 0; i < took.length; i++) {
            took[i] = to[warmUp + i] - from[warmUp + i];
            last = Math.max(last, to[warmUp + i]);
        }
        Arrays.sort(took);
        double perSecond = took.length / ((last - from[warmUp]) / 1e9);
        System.out.printf(
                Locale.ROOT,
                "%d steady state records %s, %.1f records/sec (%.3f MB/sec), %.3f ms avg latency, "
                        + "%.3f ms max latency, %.3f ms 50th, %.3f ms 95th, %.3f ms 99th, %.3f ms 99.9th.%n",
                took.length,
                what,
                perSecond,
                perSecond * recordBytes / (1024.0 * 1024.0),
                Arrays.stream(took).average().orElse(0) / 1e6,
                milliseconds(took, 1),
                milliseconds(took, 0.5),
                milliseconds(took, 0.95),
                milliseconds(took, 0.99),
                milliseconds(took, 0.999));
    }

    /** The latency that this share of the sorted records did not exceed. */
    private static double milliseconds(long[] sorted, double share) {
        return sorted[Math.min((int) (share * sorted.length), sorted.length - 1)] / 1e6;
    }

    /** Reads what is written after it has started, and notes when each record came. */
    private static final class Reader implements Runnable {
        final CountDownLatch started = new CountDownLatch(1);
        final long[] delivered;
        /** When it gives up. */
        volatile long deadline = Long.MAX_VALUE;
        private final Properties settings;
        private final String topic;
        private final AtomicReference<Exception> failure;

        Reader(Properties settings, String topic, int records, AtomicReference<Exception> failure) {
            this.settings = settings;
            this.topic = topic;
            this.failure = failure;
            delivered = new long[records];
        }

        @Override
        public void run() {
            try (KafkaConsumer<byte[], byte[]> consumer =
                    new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
                List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                        .map(info -> new TopicPartition(topic, info.partition()))
                        .toList();
                consumer.assign(partitions);
                consumer.seekToEnd(partitions);
                partitions.forEach(consumer::position);
                started.countDown();
                int missing = delivered.length;
                while (missing > 0 && failure.get() == null) {
                    if (System.nanoTime() > deadline) {
                        throw new IllegalStateException(missing + " records were not delivered");
                    }
                    var batch = consumer.poll(Duration.ofMillis(500));
                    long now = System.nanoTime();
                    for (ConsumerRecord<byte[], byte[]> record : batch) {
                        int index = ByteBuffer.wrap(record.value()).getInt();
                        if (delivered[index] == 0) {
                            delivered[index] = now;
                            missing--;
                        }
                    }
                }
            } catch (Exception error) {
                failure.compareAndSet(null, error);
            } finally {
                started.countDown();
            }
        }
    }
}
