import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicIdPartition;

/**
 * FILE TOPIC GROUP SIGNAL: a share group that sees every record while its broker is killed again and again. What was
 * committed must not come again. The file SIGNAL grows by a byte with each commit.
 */
public final class ShareThroughRestarts {
    private static final int COUNT = 1500;

    public static void main(String[] arguments) {
        Common.main(() -> run(arguments[0], arguments[1], arguments[2], Path.of(arguments[3])));
    }

    private static void run(String file, String topic, String group, Path signal) throws Exception {
        Common.produce(file, topic, 1, Common.values("share", COUNT));
        Set<String> seen = new HashSet<>();
        Set<String> committed = new HashSet<>();
        byte[] commits = new byte[100_000];
        int[] times = {0, 0};
        try (KafkaShareConsumer<String, String> consumer = new KafkaShareConsumer<>(Common.settings(file,
                "group.id", group, "share.acknowledgement.mode", "explicit", "max.poll.records", "10",
                "share.acquire.mode", "record_limit", "reconnect.backoff.max.ms", "200"))) {
            consumer.subscribe(List.of(topic));
            Common.await("all seen", () -> {
                List<String> batch = new ArrayList<>();
                for (ConsumerRecord<String, String> record : consumer.poll(Common.POLL)) {
                    Common.check(!committed.contains(record.value()), "came again after its commit: " + record);
                    consumer.acknowledge(record);
                    batch.add(record.value());
                    times[1]++;
                }
                seen.addAll(batch);
                if (!batch.isEmpty() && isCommitted(consumer)) {
                    committed.addAll(batch);
                    Files.write(signal, java.util.Arrays.copyOf(commits, ++times[0]));
                }
                return seen.size() == COUNT;
            });
        }
        System.out.println("seen " + seen.size());
        System.out.println("deliveries " + times[1]);
        System.out.println("committed " + committed.size());
    }

    /** Whether all that was acknowledged is; where the answer was lost nobody knows. */
    private static boolean isCommitted(KafkaShareConsumer<String, String> consumer) {
        try {
            Map<TopicIdPartition, Optional<KafkaException>> results = consumer.commitSync();
            return results.values().stream().noneMatch(Optional::isPresent);
        } catch (KafkaException error) {
            return false;
        }
    }
}
