import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.TopicPartition;

/**
 * FILE PREFIX GROUP: the consumer groups of KIP-848 on the topics PREFIX-a and PREFIX-b of two partitions each, by names
 * and by a regular expression that the coordinator evaluates. Prints what the expression subscribed to.
 */
public final class ConsumerProtocol {
    private static final int COUNT = 20;

    public static void main(String[] arguments) {
        Common.main(() -> run(arguments[0], arguments[1], arguments[2]));
    }

    private static void run(String file, String prefix, String group) throws Exception {
        List<String> topics = List.of(prefix + "-a", prefix + "-b");
        for (String topic : topics) {
            Common.produce(file, topic, 2, Common.values(topic, COUNT));
        }
        try (KafkaConsumer<String, String> one = new KafkaConsumer<>(consumer(file, group + "-names"))) {
            one.subscribe(topics);
            List<String> seen = Common.read(one, 2 * COUNT);
            System.out.println("names " + seen.size());
            Common.check(Set.copyOf(seen).size() == 2 * COUNT && seen.size() == 2 * COUNT, "not once each: " + seen);
            one.commitSync();
            shareWithAnother(file, group + "-names", topics, one);
            Set<TopicPartition> partitions = topics.stream().flatMap(topic ->
                List.of(new TopicPartition(topic, 0), new TopicPartition(topic, 1)).stream()).collect(Collectors.toSet());
            Map<TopicPartition, ?> committed = one.committed(partitions);
            Common.check(committed.values().stream().allMatch(offset -> offset != null), "commits: " + committed);
        }
        try (KafkaConsumer<String, String> one = new KafkaConsumer<>(consumer(file, group + "-pattern"))) {
            one.subscribe(new SubscriptionPattern(prefix + "-.*"));
            List<String> seen = Common.read(one, 2 * COUNT);
            System.out.println("pattern " + seen.size());
            System.out.println("pattern_topics " + topicsOf(one.assignment()));
            Common.check(seen.size() == 2 * COUNT, "not once each: " + seen);
        }
    }

    private static void shareWithAnother(
            String file, String group, Collection<String> topics, KafkaConsumer<String, String> one) throws Exception {
        try (KafkaConsumer<String, String> other = new KafkaConsumer<>(consumer(file, group))) {
            other.subscribe(topics);
            Common.await("two partitions each", () -> {
                one.poll(Common.POLL);
                other.poll(Common.POLL);
                return one.assignment().size() == 2 && other.assignment().size() == 2;
            });
            System.out.println("shared " + one.assignment().size() + "+" + other.assignment().size());
        }
    }

    private static Set<String> topicsOf(Collection<TopicPartition> partitions) {
        return partitions.stream().map(TopicPartition::topic).collect(Collectors.toCollection(TreeSet::new));
    }

    private static Map<String, Object> consumer(String file, String group) throws Exception {
        return Common.settings(file,
            "group.id", group, "group.protocol", "consumer", "auto.offset.reset", "earliest",
            "enable.auto.commit", "false");
    }
}
