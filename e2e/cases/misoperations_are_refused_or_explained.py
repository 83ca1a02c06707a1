"""Every field of the definition with every kind of wrong value: the server refuses it and names the field, or the status says what
is wrong, or it is carried out; the good spec, applied again, always recovers (FAULTS K26). The list is made from the field
tables by holdfast-misoperations."""

import json
import os
import subprocess

from testbed.api import path_of
from testbed.bed import CONVERGE, condition
from testbed.waiting import until

SERVERS = ("real",)  # tests/misoperation does the same on the double
SLOW = True


class Subject:
    """A cluster on one kind of backend."""

    def __init__(self, bed, good):
        self.bed, self.good = bed, good
        self.path = path_of("storageclusters", bed.namespace, "demo")

    def create(self):
        self.bed.api.create("storageclusters", self.bed.namespace, {
            "apiVersion": "storage.holdfast.dev/v1", "kind": "StorageCluster", "metadata": {"name": "demo"}, "spec": self.good})
        self.bed.wait_ready()

    def remove(self):
        """With its volumes: its policy is Delete."""
        self.bed.kubectl("delete", "storagecluster", "demo", "--wait=false")
        self.bed.wait_gone()
        until("the claims are gone", lambda: not self.bed.claims(), CONVERGE)

    def as_new(self, spec):
        """What the server says when it refuses a cluster of this spec that was not there before; None when it does not."""
        status, answer = self.bed.api.send("POST", path_of("storageclusters", self.bed.namespace) + "?dryRun=All", {
            "apiVersion": "storage.holdfast.dev/v1", "kind": "StorageCluster", "metadata": {"name": "new"}, "spec": spec})
        return None if status == 201 else f"{status} {json.dumps(answer)}"

    def replace(self, spec):
        """None, or what the server said when it refused."""
        for _ in range(10):
            status, answer = self.bed.api.send("PUT", self.path, self.bed.storage_cluster() | {"spec": spec})
            if status != 409:  # the operator was faster
                return None if status == 200 else f"{status} {json.dumps(answer)}"
        raise AssertionError("ten conflicts in a row")

    def verdict(self):
        """Ready, when the status is about the spec that is there now."""
        one = self.bed.storage_cluster()
        state = condition(one, "Ready")
        if one.get("status", {}).get("observedGeneration") != one["metadata"]["generation"]:
            return None
        return f"{state['status']} {state['reason']}: {state['message']}"

    def recover(self):
        refusal = self.replace(self.good)
        if refusal is None:
            self.bed.wait_ready()
            return
        assert about_the_change(refusal), refusal
        self.remove()
        self.create()


def about_the_change(refusal):
    """What cannot be taken back by its nature: volumes do not shrink, data does not move by itself, nor is it there twice."""
    return any(words in refusal for words in ("can only grow", "cannot change", "keeps its kind", "can only be removed"))


def names(refusal, one):
    """A value that is right by itself can still break a rule over several fields, which names what holds them."""
    return one["field"] in refusal or (not one["must_be_refused"] and one["path"].rpartition(".")[0] + ":" in refusal)


def sweep(bed, good, misoperations, failures):
    """How many the server refused."""
    subject, refused = Subject(bed, good), 0
    subject.create()
    for one in misoperations:
        what = f"{one['path']}, {one['what']}"
        refusal = subject.replace(one["spec"])
        if refusal is not None:
            refused += 1
            if about_the_change(refusal):  # and not about the value
                refusal = subject.as_new(one["spec"])
                if refusal is None and one["must_be_refused"]:
                    failures.append(f"{what}: a new cluster of it is let in")
            if refusal is not None and not names(refusal, one):
                failures.append(f"{what}: the refusal does not name the field: {refusal[:500]}")
            continue
        verdict = until(f"{what}: the status is about it", subject.verdict, CONVERGE)
        if one["must_be_refused"] and not verdict.startswith("False InvalidSpec"):
            failures.append(f"{what}: {verdict}")
        subject.recover()
    subject.remove()
    return refused


def run(bed):
    program = os.path.join(os.path.dirname(bed.binary), "holdfast-misoperations")
    found = json.loads(subprocess.run([program], check=True, capture_output=True, text=True).stdout)
    bed.operator()
    refused, failures = 0, []
    for name, good in found["good"].items():
        mine = [one for one in found["misoperations"] if one["good"] == name]
        refused += sweep(bed, good, mine, failures)
        print(f"  {name}: {len(mine)} specs", flush=True)
    assert not failures, "\n".join(failures)
    return f"{len(found['misoperations'])} specs, {refused} refused by the server"
