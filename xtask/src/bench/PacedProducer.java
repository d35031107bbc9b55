import java.io.FileInputStream;
import java.io.InputStream;
import java.util.Arrays;
import java.util.Locale;
import java.util.Properties;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.server.util.ThroughputThrottler;

/**
 * Writes at a fixed rate, as ProducerPerformance does with its throttle, and says how long records took from
 * before they were sent to their acknowledgement. ProducerPerformance does so in whole milliseconds, which is
 * coarser than what is to be told apart here. Prints one line of the same form.
 */
public final class PacedProducer {
    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        try (InputStream file = new FileInputStream(arguments[0])) {
            settings.load(file);
        }
        String topic = arguments[2];
        int recordBytes = Integer.parseInt(arguments[3]);
        int perSecond = Integer.parseInt(arguments[4]);
        int warmUp = Integer.parseInt(arguments[5]);
        int records = Integer.parseInt(arguments[6]);
        settings.put("bootstrap.servers", arguments[1]);
        settings.put("acks", "all");
        // Waiting for more records would be most of what is measured.
        settings.put("linger.ms", "0");

        long[] sent = new long[records];
        long[] took = new long[records];
        AtomicReference<Exception> failure = new AtomicReference<>();
        SplittableRandom random = new SplittableRandom(0);
        // Taken by the producer's own thread, which has ended once the producer is closed.
        long[] last = new long[1];
        byte[] value = new byte[recordBytes];
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            ThroughputThrottler throttle = new ThroughputThrottler(perSecond, System.currentTimeMillis());
            for (int i = 0; i < records && failure.get() == null; i++) {
                for (int at = 0; at < recordBytes; at++) {
                    value[at] = (byte) ('A' + random.nextInt(26));
                }
                int index = i;
                long now = System.currentTimeMillis();
                sent[index] = System.nanoTime();
                producer.send(new ProducerRecord<>(topic, value), (metadata, error) -> {
                    last[0] = System.nanoTime();
                    took[index] = last[0] - sent[index];
                    if (error != null) {
                        failure.compareAndSet(null, error);
                    }
                });
                if (throttle.shouldThrottle(i, now)) {
                    throttle.throttle();
                }
            }
        }
        if (failure.get() != null) {
            throw failure.get();
        }

        double seconds = (last[0] - sent[warmUp]) / 1e9;
        long[] counted = Arrays.copyOfRange(took, warmUp, records);
        Arrays.sort(counted);
        double perSecondReached = counted.length / seconds;
        System.out.printf(
                Locale.ROOT,
                "%d steady state records sent, %.1f records/sec (%.3f MB/sec), %.3f ms avg latency, "
                        + "%.3f ms max latency, %.3f ms 50th, %.3f ms 95th, %.3f ms 99th, %.3f ms 99.9th.%n",
                counted.length,
                perSecondReached,
                perSecondReached * recordBytes / (1024.0 * 1024.0),
                Arrays.stream(counted).average().orElse(0) / 1e6,
                milliseconds(counted, 1),
                milliseconds(counted, 0.5),
                milliseconds(counted, 0.95),
                milliseconds(counted, 0.99),
                milliseconds(counted, 0.999));
    }

    /** The latency that this share of the sorted records did not exceed. */
    private static double milliseconds(long[] sorted, double share) {
        return sorted[Math.min((int) (share * sorted.length), sorted.length - 1)] / 1e6;
    }
}
