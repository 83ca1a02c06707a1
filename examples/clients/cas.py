"""cas.py KEY: adds one to a number that others change too. Reads it with its ETag, and writes only if that is still the newest."""
import os
import sys
import urllib.error
import urllib.request

URL = os.environ.get("HOLDFAST_URL", "http://demo:8080") + "/v1/stores/_default/keys/" + sys.argv[1]
TOKEN = os.environ.get("HOLDFAST_TOKEN_FILE", "/var/run/secrets/kubernetes.io/serviceaccount/token")


def ask(method, body=None, **headers):
    if os.path.exists(TOKEN):  # read each time: the kubelet renews it
        with open(TOKEN, encoding="ascii") as file:
            headers["Authorization"] = "Bearer " + file.read().strip()
    request = urllib.request.Request(URL, body, {name.replace("_", "-"): value for name, value in headers.items()}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers.get("ETag"), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, None, error.read()


while True:
    status, etag, value = ask("GET")
    number = int(value) + 1 if status == 200 else 1
    status, _, body = ask("PUT", str(number).encode(), **({"If_Match": etag} if etag else {"If_None_Match": "*"}))
    if status != 412:  # 412: somebody was faster; once more
        break
print(number) if status in (201, 204) else sys.exit(f"{status}: {body.decode()}")
