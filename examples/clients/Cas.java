// java Cas.java KEY: adds one to a number that others change too. Writes only if what it read is still the newest.
import java.net.URI;
import java.net.http.*;
import java.nio.file.*;

class Cas {
  static final HttpClient CLIENT = HttpClient.newHttpClient();

  static HttpResponse<String> ask(String key, String method, String body, String header, String value) throws Exception {
    String url = System.getenv().getOrDefault("HOLDFAST_URL", "http://demo:8080") + "/v1/stores/_default/keys/" + key;
    var request = HttpRequest.newBuilder(URI.create(url)).method(method, HttpRequest.BodyPublishers.ofString(body)).header(header, value);
    Path token = Path.of(System.getenv().getOrDefault("HOLDFAST_TOKEN_FILE", "/var/run/secrets/kubernetes.io/serviceaccount/token"));
    // Read each time: the kubelet renews it.
    if (Files.exists(token)) request.header("Authorization", "Bearer " + Files.readString(token).strip());
    return CLIENT.send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  public static void main(String[] arguments) throws Exception {
    for (int status = 412; status == 412;) { // 412: somebody was faster; once more
      var read = ask(arguments[0], "GET", "", "Accept", "*/*");
      boolean there = read.statusCode() == 200;
      long number = there ? Long.parseLong(read.body()) + 1 : 1;
      var written = ask(arguments[0], "PUT", "" + number, there ? "If-Match" : "If-None-Match", read.headers().firstValue("ETag").orElse("*"));
      status = written.statusCode();
      if (status < 300) System.out.println(number);
      else if (status != 412) throw new IllegalStateException(status + ": " + written.body());
    }
  }
}
