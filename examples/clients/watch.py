"""watch.py PREFIX FILE: prints every change under a prefix. The position in FILE is where it goes on after a restart or a broken
connection, without gap or repetition. After `compacted` list the prefix: what happened before is not known."""
import os
import sys
import time
import urllib.request

URL = os.environ.get("HOLDFAST_URL", "http://demo:8080") + "/v1/stores/_default/watch?prefix=" + sys.argv[1]
TOKEN = os.environ.get("HOLDFAST_TOKEN_FILE", "/var/run/secrets/kubernetes.io/serviceaccount/token")
POSITION = sys.argv[2]
while True:
    try:
        headers = {"Authorization": "Bearer " + open(TOKEN, encoding="ascii").read().strip()} if os.path.exists(TOKEN) else {}
        if os.path.exists(POSITION):
            headers["Last-Event-ID"] = open(POSITION, encoding="ascii").read()
        event = {}
        for line in urllib.request.urlopen(urllib.request.Request(URL, None, headers), timeout=60):
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                event[name] = value
                continue
            if "event" in event:  # a heartbeat has a position only
                print(event["event"], event.get("data", ""), flush=True)
            if "id" in event:
                open(POSITION + ".new", "w", encoding="ascii").write(event["id"])
                os.replace(POSITION + ".new", POSITION)
            event = {}
    except OSError as error:
        print("trying again:", error, file=sys.stderr)
    time.sleep(1)
