import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/**
 * FILE INPUT OUTPUT GROUP TRANSACTIONAL_ID [OFFSETS_GROUP]: one transaction commits with its offsets, one aborts; who
 * sees what. The offsets are those of GROUP, which reads, unless another group is named.
 */
public final class TransactionalRoundTrip {
    private static final int COUNT = 10;

    public static void main(String[] arguments) {
        String group = arguments[arguments.length > 5 ? 5 : 3];
        Common.main(() -> run(arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], group));
    }

    private static void run(
            String file, String input, String output, String group, String id, String offsetsGroup) throws Exception {
        Common.produce(file, input, 1, Common.values("in", COUNT));
        Map<String, Object> reading = Common.settings(file,
            "group.id", group, "auto.offset.reset", "earliest", "enable.auto.commit", "false",
            "isolation.level", "read_committed");
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(reading);
             KafkaProducer<String, String> producer = new KafkaProducer<>(
                 Common.settings(file, "transactional.id", id))) {
            producer.initTransactions();
            consumer.subscribe(List.of(input));
            Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
            int[] handled = {0};
            producer.beginTransaction();
            Common.await("the input", () -> {
                for (ConsumerRecord<String, String> record : consumer.poll(Common.POLL)) {
                    producer.send(new ProducerRecord<>(output, "committed-" + record.value()));
                    offsets.put(new TopicPartition(record.topic(), record.partition()),
                        new OffsetAndMetadata(record.offset() + 1));
                    handled[0]++;
                }
                return handled[0] == COUNT;
            });
            producer.sendOffsetsToTransaction(offsets, offsetsGroup.equals(group)
                ? consumer.groupMetadata() : new ConsumerGroupMetadata(offsetsGroup));
            producer.commitTransaction();

            producer.beginTransaction();
            for (String value : Common.values("aborted", COUNT)) {
                producer.send(new ProducerRecord<>(output, value));
            }
            producer.sendOffsetsToTransaction(
                Map.of(new TopicPartition(input, 0), new OffsetAndMetadata(1)), consumer.groupMetadata());
            producer.flush();
            producer.abortTransaction();

            TopicPartition first = new TopicPartition(input, 0);
            OffsetAndMetadata committed = consumer.committed(new HashSet<>(List.of(first))).get(first);
            System.out.println("group_offset " + committed.offset());
            Common.check(committed.offset() == COUNT, "the aborted transaction moved the group to " + committed);
        }
        List<String> sure = readAll(file, output, "read_committed", COUNT);
        System.out.println("read_committed " + sure.size());
        Common.check(sure.stream().allMatch(value -> value.startsWith("committed-in-")), "aborted records: " + sure);
        Common.check(sure.size() == COUNT, "repeated records: " + sure);
        List<String> all = readAll(file, output, "read_uncommitted", 2 * COUNT);
        System.out.println("read_uncommitted " + all.size());
        Common.check(all.size() == 2 * COUNT, "the aborted records were not even written: " + all);
    }

    private static List<String> readAll(String file, String topic, String isolation, int count) throws Exception {
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(
                Common.settings(file, "isolation.level", isolation, "auto.offset.reset", "earliest"))) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            return Common.read(consumer, count);
        }
    }
}
