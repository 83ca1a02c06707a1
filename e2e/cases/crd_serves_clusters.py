"""The definition installs, is Established, and kubectl knows the kind by its short name, category and columns."""

import json

from testbed.bed import cluster


def run(bed):
    definition = bed.api.get("customresourcedefinitions", name="storageclusters.storage.holdfast.dev")
    conditions = {row["type"]: row["status"] for row in definition["status"]["conditions"]}
    assert conditions.get("Established") == "True", conditions

    bed.apply(cluster())
    for word in ("storageclusters", "storagecluster", "stc", "holdfast"):
        listed = bed.kubectl("get", word)
        assert "demo" in listed, f"kubectl get {word}: {listed}"
    header = bed.kubectl("get", "stc").splitlines()[0]
    for column in ("NAME", "READY", "AGE"):
        assert column in header, header
    assert json.loads(bed.kubectl("get", "stc", "demo", "-o", "json"))["spec"]["stores"][0]["name"] == "main"
