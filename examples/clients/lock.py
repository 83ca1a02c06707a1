"""lock.py LOCK KEY VALUE: writes while holding a lock. The fence has the write refused (412) if the lock went to somebody else
meanwhile, however long this process was stopped."""
import json
import os
import sys
import urllib.request

STORE = os.environ.get("HOLDFAST_URL", "http://demo:8080") + "/v1/stores/_default"
TOKEN = os.environ.get("HOLDFAST_TOKEN_FILE", "/var/run/secrets/kubernetes.io/serviceaccount/token")


def ask(method, path, body=None, headers=None):
    headers = dict(headers or {})
    if os.path.exists(TOKEN):  # read each time: the kubelet renews it
        with open(TOKEN, encoding="ascii") as file:
            headers["Authorization"] = "Bearer " + file.read().strip()
    with urllib.request.urlopen(urllib.request.Request(STORE + path, body, headers, method=method), timeout=30) as answer:
        return answer.read()


lock, key, value = sys.argv[1:]
wanted = json.dumps({"owner": "lock.py", "ttl": "30s", "wait": "10s"}).encode()
held = json.loads(ask("POST", f"/locks/{lock}", wanted, {"Content-Type": "application/json"}))
try:
    ask("PUT", f"/keys/{key}", value.encode(), {"Holdfast-Fence": f"{lock}={held['token']}"})
    print(held["token"])
finally:
    ask("DELETE", f"/locks/{lock}?lease={held['lease']}")
