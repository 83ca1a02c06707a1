// java Lock.java LOCK KEY VALUE: writes while holding a lock. The fence has the write refused (412) if the lock went to somebody
// else meanwhile, however long this process was stopped.
import java.net.URI;
import java.net.http.*;
import java.nio.file.*;

class Lock {
  static String ask(String method, String path, String body, String header, String value) throws Exception {
    String store = System.getenv().getOrDefault("HOLDFAST_URL", "http://demo:8080") + "/v1/stores/_default";
    var request = HttpRequest.newBuilder(URI.create(store + path)).method(method, HttpRequest.BodyPublishers.ofString(body)).header(header, value);
    Path token = Path.of(System.getenv().getOrDefault("HOLDFAST_TOKEN_FILE", "/var/run/secrets/kubernetes.io/serviceaccount/token"));
    // Read each time: the kubelet renews it.
    if (Files.exists(token)) request.header("Authorization", "Bearer " + Files.readString(token).strip());
    var answer = HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString());
    if (answer.statusCode() >= 300) throw new IllegalStateException(answer.statusCode() + ": " + answer.body());
    return answer.body();
  }

  public static void main(String[] a) throws Exception {
    String held = ask("POST", "/locks/" + a[0], "{\"owner\":\"Lock.java\",\"ttl\":\"30s\",\"wait\":\"10s\"}", "Content-Type", "application/json");
    String lease = held.replaceFirst(".*\"lease\":\"([^\"]*)\".*", "$1"), fence = held.replaceFirst(".*\"token\":\"?(\\d+).*", "$1");
    try {
      ask("PUT", "/keys/" + a[1], a[2], "Holdfast-Fence", a[0] + "=" + fence);
      System.out.println(fence);
    } finally {
      ask("DELETE", "/locks/" + a[0] + "?lease=" + lease, "", "Accept", "*/*");
    }
  }
}
