import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InvalidClassException;
import java.io.ObjectInputStream;
import java.io.ObjectStreamClass;
import java.io.Serializable;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLConnection;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Set;
import java.util.concurrent.Executors;

/**
 * A small web application with one hole of each kind; SAFE=1 serves the same pages without them.
 *
 * <p>Runtime: a pool of threads; the thread that accepts hands each request to another one.
 */
public final class App {
    private static final boolean SAFE = "1".equals(System.getenv("SAFE"));
    private static final Path FILES = Path.of("/srv/files");
    private static final Set<String> KNOWN_HOSTS = Set.of("127.0.0.1");
    private static final int BYTES_MAX = 65536;

    /** What a visitor's session holds; `/session` reads it back from what the visitor sends. */
    public static final class Session implements Serializable {
        private static final long serialVersionUID = 1;
        public String name = "";
    }

    /** Stands for the gadgets that libraries bring: reading it back runs a command. */
    public static final class Gadget implements Serializable {
        private static final long serialVersionUID = 1;
        public String command = "";

        private void readObject(ObjectInputStream in) throws IOException, ClassNotFoundException {
            in.defaultReadObject();
            Runtime.getRuntime().exec(new String[] {"sh", "-c", command});
        }
    }

    /** Reads nothing but a session. */
    private static final class SessionOnly extends ObjectInputStream {
        SessionOnly(ByteArrayInputStream in) throws IOException {
            super(in);
        }

        @Override
        protected Class<?> resolveClass(ObjectStreamClass told)
                throws IOException, ClassNotFoundException {
            if (!told.getName().equals(Session.class.getName())) {
                throw new InvalidClassException(told.getName(), "not a session");
            }
            return super.resolveClass(told);
        }
    }

    private interface Page {
        byte[] answer(HttpExchange exchange) throws Exception;
    }

    private static String argument(HttpExchange exchange, String name, String otherwise) {
        String query = exchange.getRequestURI().getRawQuery();
        for (String pair : query == null ? new String[0] : query.split("&")) {
            if (pair.startsWith(name + "=")) {
                return URLDecoder.decode(pair.substring(name.length() + 1), StandardCharsets.UTF_8);
            }
        }
        return otherwise;
    }

    private static byte[] ping(HttpExchange exchange) throws IOException {
        String host = argument(exchange, "host", "127.0.0.1");
        ProcessBuilder command = SAFE
                ? new ProcessBuilder("echo", "pinging", host)
                : new ProcessBuilder("sh", "-c", "echo pinging " + host);
        return command.start().getInputStream().readNBytes(BYTES_MAX);
    }

    private static byte[] fetch(HttpExchange exchange) throws IOException {
        URI asked = URI.create(argument(exchange, "url", "http://127.0.0.1:8080/health"));
        if (SAFE && !KNOWN_HOSTS.contains(asked.getHost())) {
            throw new IllegalArgumentException("unknown host");
        }
        URLConnection connection = asked.toURL().openConnection();
        connection.setConnectTimeout(2000);
        connection.setReadTimeout(2000);
        return connection.getInputStream().readNBytes(BYTES_MAX);
    }

    private static byte[] file(HttpExchange exchange) throws IOException {
        Path name = Path.of(argument(exchange, "name", "hello.txt"));
        return Files.readAllBytes(FILES.resolve(SAFE ? name.getFileName() : name));
    }

    private static byte[] session(HttpExchange exchange) throws Exception {
        byte[] sent = Base64.getDecoder().decode(exchange.getRequestBody().readNBytes(BYTES_MAX));
        ByteArrayInputStream bytes = new ByteArrayInputStream(sent);
        try (ObjectInputStream in = SAFE ? new SessionOnly(bytes) : new ObjectInputStream(bytes)) {
            return in.readObject() instanceof Session session
                    ? session.name.getBytes(StandardCharsets.UTF_8)
                    : "not a session\n".getBytes(StandardCharsets.UTF_8);
        }
    }

    private static void serve(HttpServer server, String path, Page page) {
        server.createContext(path, exchange -> {
            int status = 200;
            byte[] content;
            try {
                content = page.answer(exchange);
            } catch (Exception error) {
                status = 500;
                content = (error + "\n").getBytes(StandardCharsets.UTF_8);
            }
            exchange.sendResponseHeaders(status, content.length == 0 ? -1 : content.length);
            exchange.getResponseBody().write(content);
            exchange.close();
        });
    }

    /** Serves, or with the argument `gadget COMMAND` prints what an attacker would send. */
    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 2 && arguments[0].equals("gadget")) {
            Gadget gadget = new Gadget();
            gadget.command = arguments[1];
            var bytes = new java.io.ByteArrayOutputStream();
            new java.io.ObjectOutputStream(bytes).writeObject(gadget);
            System.out.println(Base64.getEncoder().encodeToString(bytes.toByteArray()));
            return;
        }
        HttpServer server = HttpServer.create(new InetSocketAddress(8080), 64);
        server.setExecutor(Executors.newFixedThreadPool(8));
        serve(server, "/health", exchange -> "ok\n".getBytes(StandardCharsets.UTF_8));
        serve(server, "/ping", App::ping);
        serve(server, "/fetch", App::fetch);
        serve(server, "/file", App::file);
        serve(server, "/session", App::session);
        server.start();
    }
}
