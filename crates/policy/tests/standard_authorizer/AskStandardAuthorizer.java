import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.metrics.Metrics;
import org.apache.kafka.common.metrics.internals.PluginMetricsImpl;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.common.utils.SecurityUtils;
import org.apache.kafka.metadata.authorizer.StandardAcl;
import org.apache.kafka.metadata.authorizer.StandardAuthorizer;
import org.apache.kafka.server.authorizer.Action;
import org.apache.kafka.server.authorizer.AuthorizableRequestContext;
import org.apache.kafka.server.authorizer.AuthorizationResult;

/**
 * Apache Kafka's own authorizer behind standard input: one command a line, fields parted by tabs, numbers for Kafka's
 * codes.
 *
 * <pre>
 * S superUsers                                           a new authorizer; super users as in its configuration
 * A type name pattern principal host operation permission   an ACL of it
 * L                                                      all ACLs are told
 * Q principal host operation type name                   is it allowed? answered by 1 or 0
 * B principal host operation type                        on any resource of the type? the same
 * E                                                      the end of the questions about it; ends the line of answers
 * R principal host operation type name                   a request to measure
 * T rounds                                               asks all of them so often; nanoseconds for each, as a median
 * </pre>
 */
public final class AskStandardAuthorizer {
    private record Request(AuthorizableRequestContext context, List<Action> actions) {}

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"), 1 << 20);
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        StandardAuthorizer authorizer = null;
        Map<Uuid, StandardAcl> acls = new LinkedHashMap<>();
        List<Request> requests = new ArrayList<>();
        StringBuilder answers = new StringBuilder();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] field = line.split("\t", -1);
            switch (field[0]) {
                case "S" -> {
                    authorizer = new StandardAuthorizer();
                    authorizer.configure(Map.of("super.users", field[1]));
                    authorizer.withPluginMetrics(new PluginMetricsImpl(new Metrics(), Map.of()));
                    acls.clear();
                }
                case "A" -> acls.put(
                    new Uuid(0, acls.size() + 1),
                    new StandardAcl(
                        ResourceType.fromCode(Byte.parseByte(field[1])),
                        field[2],
                        PatternType.fromCode(Byte.parseByte(field[3])),
                        field[4],
                        field[5],
                        AclOperation.fromCode(Byte.parseByte(field[6])),
                        AclPermissionType.fromCode(Byte.parseByte(field[7]))));
                case "L" -> {
                    authorizer.loadSnapshot(acls);
                    authorizer.completeInitialLoad();
                }
                case "Q" -> {
                    Request request = request(field);
                    answers.append(bit(authorizer.authorize(request.context, request.actions).get(0)));
                }
                case "B" -> answers.append(bit(authorizer.authorizeByResourceType(
                    context(field[1], field[2]),
                    AclOperation.fromCode(Byte.parseByte(field[3])),
                    ResourceType.fromCode(Byte.parseByte(field[4])))));
                case "E" -> {
                    out.println(answers);
                    out.flush();
                    answers.setLength(0);
                }
                case "R" -> requests.add(request(field));
                case "T" -> {
                    out.println(measure(authorizer, requests, Integer.parseInt(field[1])));
                    out.flush();
                }
                default -> throw new IllegalArgumentException(line);
            }
        }
    }

    private static double measure(StandardAuthorizer authorizer, List<Request> requests, int rounds) {
        double[] each = new double[rounds];
        int allowed = 0;
        // As many rounds before the clock runs, for the compiler.
        for (int round = -rounds; round < rounds; round++) {
            long begun = System.nanoTime();
            for (Request request : requests) {
                if (authorizer.authorize(request.context, request.actions).get(0) == AuthorizationResult.ALLOWED) {
                    allowed++;
                }
            }
            if (round >= 0) {
                each[round] = (System.nanoTime() - begun) / (double) requests.size();
            }
        }
        if (allowed < 0) {
            throw new IllegalStateException();
        }
        java.util.Arrays.sort(each);
        return each[rounds / 2];
    }

    private static Request request(String[] field) throws Exception {
        ResourcePattern resource = new ResourcePattern(
            ResourceType.fromCode(Byte.parseByte(field[4])), field[5], PatternType.LITERAL);
        Action action = new Action(AclOperation.fromCode(Byte.parseByte(field[3])), resource, 1, false, false);
        return new Request(context(field[1], field[2]), List.of(action));
    }

    private static char bit(AuthorizationResult result) {
        return result == AuthorizationResult.ALLOWED ? '1' : '0';
    }

    private static AuthorizableRequestContext context(String principal, String host) throws Exception {
        KafkaPrincipal who = SecurityUtils.parseKafkaPrincipal(principal);
        InetAddress address = InetAddress.getByName(host);
        return new AuthorizableRequestContext() {
            @Override public String listenerName() { return "CLIENTS"; }
            @Override public SecurityProtocol securityProtocol() { return SecurityProtocol.SASL_SSL; }
            @Override public KafkaPrincipal principal() { return who; }
            @Override public InetAddress clientAddress() { return address; }
            @Override public int requestType() { return 0; }
            @Override public int requestVersion() { return 0; }
            @Override public String clientId() { return "test"; }
            @Override public int correlationId() { return 0; }
        };
    }
}
