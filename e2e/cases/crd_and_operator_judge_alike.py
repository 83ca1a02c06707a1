"""Every spec of the unit tests' cases is put to the server: it accepts and refuses the same ones by schema and CEL rule as the
operator does in C++."""

import json
import os

import yaml

from testbed.bed import cluster

SERVERS = ("real",)  # the double evaluates no rules
FOLDER = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(FOLDER, "..", "..", "tests", "unit", "operator", "api", "cases.yaml")


def manifest(name, spec):
    return cluster(name=name) | {"spec": spec}


def judged(bed, one):
    """Whether the server takes it, and what it says."""
    name = one.get("name", "demo")
    new = json.dumps(manifest(name, one["spec"]))
    if "old" not in one:
        status, _, errors = bed.try_kubectl("create", "--dry-run=server", "-f", "-", stdin=new)
        return status == 0, errors
    bed.kubectl("create", "-f", "-", stdin=json.dumps(manifest(name, one["old"])))
    status, _, errors = bed.try_kubectl("replace", "--dry-run=server", "-f", "-", stdin=new)
    bed.kubectl("delete", "storagecluster", name)
    return status == 0, errors


def run(bed):
    with open(CASES, encoding="utf-8") as file:
        cases = list(yaml.safe_load_all(file))
    apart = []
    for one in cases:
        taken, errors = judged(bed, one)
        if taken == bool(one["broken"]):
            apart.append(f"{one['case']}: {'accepted' if taken else errors.strip()}")
    assert not apart, "\n".join(apart)
    return f"{len(cases)} specs"
