import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.resource.*;

/**
 * FILE TOPIC GROUP read|write: calls the methods of Admin one by one and prints one JSON object per call:
 * {"call": name, "result": text} or {"call": name, "error": class, "message": text}. TOPIC has records and GROUP, of
 * the classic kind and without members, has offsets of its partition 0. `write` also changes things, all of them named
 * after TOPIC, and takes them back.
 */
public final class AdminSurvey {
    private static final int LIMIT_SECONDS = 20;
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Admin admin;
    private final String topic, group, user;
    private final TopicPartition partition;
    private final Map<String, Callable<Object>> calls = new LinkedHashMap<>();

    private AdminSurvey(Admin admin, String topic, String group) {
        this.admin = admin;
        this.topic = topic;
        this.group = group;
        this.user = "user-of-" + topic;
        this.partition = new TopicPartition(topic, 0);
    }

    public static void main(String[] arguments) {
        Common.main(() -> {
            Map<String, Object> settings = Common.settings(arguments[0], "default.api.timeout.ms", 15_000,
                "request.timeout.ms", 10_000);
            try (Admin admin = Admin.create(settings)) {
                AdminSurvey survey = new AdminSurvey(admin, arguments[1], arguments[2]);
                survey.reads();
                if (arguments[3].equals("write")) {
                    survey.writes();
                }
                survey.run();
            }
        });
    }

    private void run() throws Exception {
        for (Map.Entry<String, Callable<Object>> call : calls.entrySet()) {
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("call", call.getKey());
            try {
                line.put("result", String.valueOf(call.getValue().call()));
            } catch (Exception error) {
                Throwable cause = Common.cause(error);
                line.put("error", cause.getClass().getSimpleName());
                line.put("message", String.valueOf(cause.getMessage()));
            }
            System.out.println(JSON.writeValueAsString(line));
        }
    }

    private void add(String name, Callable<KafkaFuture<?>> call) {
        calls.put(name, () -> call.call().get(LIMIT_SECONDS, TimeUnit.SECONDS));
    }

    private void reads() {
        List<Integer> brokers = List.of(1, 2, 3);
        ConfigResource topicResource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        add("describeCluster.nodes", () -> admin.describeCluster().nodes());
        add("describeCluster.controller", () -> admin.describeCluster().controller());
        add("describeCluster.clusterId", () -> admin.describeCluster().clusterId());
        add("describeCluster.authorizedOperations", () -> admin.describeCluster(
            new DescribeClusterOptions().includeAuthorizedOperations(true)).authorizedOperations());
        add("listTopics", () -> admin.listTopics(new ListTopicsOptions().listInternal(true)).names());
        add("describeTopics", () -> admin.describeTopics(List.of(topic),
            new DescribeTopicsOptions().includeAuthorizedOperations(true)).allTopicNames());
        calls.put("describeTopics.byId", () -> {
            Uuid id = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).topicId();
            return admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds().get();
        });
        add("describeConfigs.topic", () -> admin.describeConfigs(List.of(topicResource)).all());
        add("describeConfigs.broker", () -> admin.describeConfigs(
            List.of(new ConfigResource(ConfigResource.Type.BROKER, "1"))).all());
        add("listConfigResources", () -> admin.listConfigResources().all());
        add("listOffsets", () -> admin.listOffsets(Map.of(partition, OffsetSpec.latest())).all());
        add("describeLogDirs", () -> admin.describeLogDirs(brokers).allDescriptions());
        add("describeReplicaLogDirs", () -> admin.describeReplicaLogDirs(
            List.of(new TopicPartitionReplica(topic, 0, 1))).all());
        add("listGroups", () -> admin.listGroups().all());
        add("describeConsumerGroups", () -> admin.describeConsumerGroups(List.of(group)).all());
        add("describeClassicGroups", () -> admin.describeClassicGroups(List.of(group)).all());
        add("describeShareGroups", () -> admin.describeShareGroups(List.of(group)).all());
        add("describeStreamsGroups", () -> admin.describeStreamsGroups(List.of(group)).all());
        add("listConsumerGroupOffsets", () -> admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata());
        add("listShareGroupOffsets", () -> admin.listShareGroupOffsets(
            Map.of(group, new ListShareGroupOffsetsSpec())).all());
        add("describeAcls", () -> admin.describeAcls(AclBindingFilter.ANY).values());
        add("describeUserScramCredentials", () -> admin.describeUserScramCredentials().all());
        add("describeClientQuotas", () -> admin.describeClientQuotas(ClientQuotaFilter.all()).entities());
        add("describeFeatures", () -> admin.describeFeatures().featureMetadata());
        add("describeMetadataQuorum", () -> admin.describeMetadataQuorum().quorumInfo());
        add("describeProducers", () -> admin.describeProducers(List.of(partition)).all());
        add("listTransactions", () -> admin.listTransactions().all());
        add("describeTransactions", () -> admin.describeTransactions(List.of("transaction-of-" + topic)).all());
        add("listPartitionReassignments", () -> admin.listPartitionReassignments().reassignments());
        add("describeDelegationToken", () -> admin.describeDelegationToken().delegationTokens());
    }

    private void writes() {
        String made = topic + "-made";
        TopicPartition first = new TopicPartition(made, 0);
        ConfigResource madeResource = new ConfigResource(ConfigResource.Type.TOPIC, made);
        calls.put("createTopics", () -> {
            admin.createTopics(List.of(new NewTopic(made, 1, (short) -1))).all().get();
            return seen(made);
        });
        add("createTopics.again", () -> admin.createTopics(List.of(new NewTopic(made, 1, (short) -1))).all());
        add("createTopics.invalid", () -> admin.createTopics(List.of(new NewTopic("a b", 1, (short) -1))).all());
        add("createPartitions", () -> admin.createPartitions(Map.of(made, NewPartitions.increaseTo(3))).all());
        add("incrementalAlterConfigs.topic", () -> admin.incrementalAlterConfigs(Map.of(madeResource,
            set("retention.ms", "3600000"))).all());
        add("incrementalAlterConfigs.group", () -> admin.incrementalAlterConfigs(Map.of(
            new ConfigResource(ConfigResource.Type.GROUP, group), set("share.auto.offset.reset", "earliest"))).all());
        add("incrementalAlterConfigs.invalid", () -> admin.incrementalAlterConfigs(Map.of(madeResource,
            set("retention.ms", "soon"))).all());
        add("deleteRecords", () -> admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(1))).all());
        add("alterClientQuotas", () -> admin.alterClientQuotas(List.of(quota(1_000_000.0))).all());
        add("alterClientQuotas.back", () -> admin.alterClientQuotas(List.of(quota(null))).all());
        add("alterConsumerGroupOffsets", () -> admin.alterConsumerGroupOffsets(group,
            Map.of(partition, new OffsetAndMetadata(1))).all());
        add("deleteConsumerGroupOffsets", () -> admin.deleteConsumerGroupOffsets(group, Set.of(partition)).all());
        add("deleteConsumerGroups", () -> admin.deleteConsumerGroups(List.of(group)).all());
        add("electLeaders", () -> admin.electLeaders(ElectionType.PREFERRED, Set.of(partition)).partitions());
        add("alterPartitionReassignments", () -> admin.alterPartitionReassignments(Map.of(first,
            Optional.of(new NewPartitionReassignment(List.of(3, 2, 1))))).all());
        add("alterPartitionReassignments.cancelled", () -> admin.alterPartitionReassignments(Map.of(
            new TopicPartition(made, 1), Optional.empty())).all());
        add("alterUserScramCredentials", () -> admin.alterUserScramCredentials(List.of(
            new UserScramCredentialUpsertion(user, new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096),
                "a-password-of-the-survey"))).all());
        add("alterUserScramCredentials.back", () -> admin.alterUserScramCredentials(List.of(
            new UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_512))).all());
        AclBinding acl = new AclBinding(new ResourcePattern(ResourceType.TOPIC, made, PatternType.LITERAL),
            new AccessControlEntry("User:" + user, "*", AclOperation.READ, AclPermissionType.ALLOW));
        add("createAcls", () -> admin.createAcls(List.of(acl)).all());
        add("deleteAcls", () -> admin.deleteAcls(List.of(acl.toFilter())).all());
        add("fenceProducers", () -> admin.fenceProducers(List.of("transaction-of-" + topic)).all());
        add("updateFeatures.invalid", () -> admin.updateFeatures(Map.of("no.such.feature", new FeatureUpdate((short) 1,
            FeatureUpdate.UpgradeType.UPGRADE)), new UpdateFeaturesOptions().validateOnly(true)).all());
        add("unregisterBroker.unknown", () -> admin.unregisterBroker(4711).all());
        add("deleteTopics", () -> admin.deleteTopics(List.of(made)).all());
        add("deleteTopics.again", () -> admin.deleteTopics(List.of("never-" + made)).all());
    }

    /** Brokers know a new topic a moment after the controller has answered. */
    private String seen(String name) throws Exception {
        Common.await(name, () -> {
            Thread.sleep(50);
            return admin.listTopics().names().get().contains(name);
        });
        return name;
    }

    private static List<AlterConfigOp> set(String key, String value) {
        return List.of(new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET));
    }

    private ClientQuotaAlteration quota(Double bytes) {
        return new ClientQuotaAlteration(new ClientQuotaEntity(Map.of(ClientQuotaEntity.USER, user)),
            List.of(new ClientQuotaAlteration.Op("producer_byte_rate", bytes)));
    }
}
