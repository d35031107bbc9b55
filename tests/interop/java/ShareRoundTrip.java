import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicIdPartition;

/**
 * FILE TOPIC GROUP: a share group that begins at the earliest record. Some records are accepted, some released and
 * accepted when they come again, one is rejected and must not come again.
 */
public final class ShareRoundTrip {
    private static final int COUNT = 10;
    private static final String REJECTED = "share-7";

    public static void main(String[] arguments) {
        Common.main(() -> run(arguments[0], arguments[1], arguments[2]));
    }

    private static void run(String file, String topic, String group) throws Exception {
        Common.produce(file, topic, 1, Common.values("share", COUNT));
        Map<String, Integer> accepted = new HashMap<>();
        Set<String> released = new HashSet<>();
        int[] rejected = {0};
        try (KafkaShareConsumer<String, String> consumer = new KafkaShareConsumer<>(
                Common.settings(file, "group.id", group, "share.acknowledgement.mode", "explicit"))) {
            consumer.subscribe(List.of(topic));
            Common.await("all accepted but one, got " + accepted, () -> {
                for (ConsumerRecord<String, String> record : consumer.poll(Common.POLL)) {
                    String value = record.value();
                    if (value.equals(REJECTED)) {
                        rejected[0]++;
                        consumer.acknowledge(record, AcknowledgeType.REJECT);
                    } else if (value.hashCode() % 2 == 0 && released.add(value)) {
                        consumer.acknowledge(record, AcknowledgeType.RELEASE);
                    } else {
                        int delivery = released.contains(value) ? 2 : 1;
                        Common.check(record.deliveryCount().orElse((short) 0) >= delivery, "delivery count: " + record);
                        accepted.merge(value, 1, Integer::sum);
                        consumer.acknowledge(record, AcknowledgeType.ACCEPT);
                    }
                }
                for (Optional<KafkaException> error : consumer.commitSync().values()) {
                    if (error.isPresent()) {
                        throw error.get();
                    }
                }
                return accepted.size() == COUNT - 1 && rejected[0] > 0;
            });
            Common.check(consumer.poll(Common.POLL).isEmpty(), "records came again after all were settled");
        }
        System.out.println("accepted " + accepted.size());
        System.out.println("released " + released.size());
        System.out.println("rejected " + rejected[0]);
        Common.check(accepted.values().stream().allMatch(times -> times == 1), "accepted twice: " + accepted);
        Common.check(!released.isEmpty() && rejected[0] == 1, "released " + released + ", rejected " + rejected[0]);
    }
}
