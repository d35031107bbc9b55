import java.io.FileInputStream;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

/**
 * Makes many ACLs, as a cluster of many teams has them: of other principals, of everybody, and of the two accounts
 * that work, on their own and on others' topics, prefixes and groups, with some denials among them.
 */
public final class ManyAcls {
    private static final int BATCH = 500;

    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        try (InputStream file = new FileInputStream(arguments[0])) {
            settings.load(file);
        }
        settings.put("bootstrap.servers", arguments[1]);
        int count = Integer.parseInt(arguments[2]);
        List<AclBinding> acls = new ArrayList<>(BATCH);
        try (Admin admin = Admin.create(settings)) {
            for (int i = 0; i < count; i++) {
                acls.add(acl(i));
                if (acls.size() == BATCH || i == count - 1) {
                    admin.createAcls(acls).all().get();
                    acls.clear();
                }
            }
        }
    }

    private static AclBinding acl(int i) {
        String principal = switch (i % 10) {
            case 0 -> "User:bench-producer";
            case 1 -> "User:bench-consumer";
            case 2 -> "User:*";
            default -> "User:team-" + i % 1000;
        };
        // Names under the common prefix are looked at for each topic of the benchmark.
        String name = (i % 3 == 0 ? "bench-other-" : "team-") + i;
        PatternType pattern = i % 4 == 0 ? PatternType.PREFIXED : PatternType.LITERAL;
        ResourceType type = i % 5 == 0 ? ResourceType.GROUP : ResourceType.TOPIC;
        AclPermissionType permission = i % 7 == 0 ? AclPermissionType.DENY : AclPermissionType.ALLOW;
        return new AclBinding(
                new ResourcePattern(type, name, pattern),
                new AccessControlEntry(principal, "*", AclOperation.READ, permission));
    }
}
