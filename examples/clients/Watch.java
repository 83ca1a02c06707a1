// java Watch.java PREFIX FILE: prints every change under a prefix. The position in FILE is where it goes on after a restart or a
// broken connection, without gap or repetition. After `compacted` list the prefix: what happened before is not known.
import java.net.URI;
import java.net.http.*;
import java.nio.file.*;
import java.util.*;

class Watch {
  public static void main(String[] arguments) throws Exception {
    String url = System.getenv().getOrDefault("HOLDFAST_URL", "http://demo:8080") + "/v1/stores/_default/watch?prefix=" + arguments[0];
    Path token = Path.of(System.getenv().getOrDefault("HOLDFAST_TOKEN_FILE", "/var/run/secrets/kubernetes.io/serviceaccount/token"));
    Path position = Path.of(arguments[1]), next = Path.of(arguments[1] + ".new");
    for (;; Thread.sleep(1000)) {
      var request = HttpRequest.newBuilder(URI.create(url));
      if (Files.exists(token)) request.header("Authorization", "Bearer " + Files.readString(token).strip());
      if (Files.exists(position)) request.header("Last-Event-ID", Files.readString(position));
      try (var lines = HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofLines()).body()) {
        var event = new HashMap<String, String>();
        for (Iterator<String> each = lines.iterator(); each.hasNext();) {
          String[] field = each.next().split(": ", 2);
          if (field.length == 2) { event.put(field[0], field[1]); continue; }
          if (event.containsKey("event")) System.out.println(event.get("event") + " " + event.get("data")); // a heartbeat has none
          if (event.containsKey("id")) Files.move(Files.writeString(next, event.get("id")), position, StandardCopyOption.REPLACE_EXISTING);
          event.clear();
        }
      } catch (java.io.IOException | java.io.UncheckedIOException error) { System.err.println("trying again: " + error); }
    }
  }
}
