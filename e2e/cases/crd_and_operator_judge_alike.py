"""Every spec of the unit tests' cases is put to the server: it accepts and refuses the same ones by schema and CEL rule as the
operator does in C++."""

import json
import os

import yaml

from testbed.bed import cluster

SERVERS = ("real",)  # the double evaluates no rules
FOLDER = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(FOLDER, "..", "..", "tests", "unit", "operator", "api")


def manifest(kind, name, spec):
    return cluster(name=name) | {"kind": kind, "spec": spec}


def judged(bed, kind, one):
    """Whether the server takes it, and what it says."""
    name = one.get("name", "demo")
    new = json.dumps(manifest(kind, name, one["spec"]))
    if "old" not in one:
        status, _, errors = bed.try_kubectl("create", "--dry-run=server", "-f", "-", stdin=new)
        return status == 0, errors
    bed.kubectl("create", "-f", "-", stdin=json.dumps(manifest(kind, name, one["old"])))
    status, _, errors = bed.try_kubectl("replace", "--dry-run=server", "-f", "-", stdin=new)
    bed.kubectl("delete", kind, name)
    return status == 0, errors


def run(bed):
    apart, count = [], 0
    for kind, file_name in (("StorageCluster", "cases.yaml"), ("StorageMigration", "migration_cases.yaml"),
                            ("StorageBackup", "backup_cases.yaml"), ("StorageRestore", "restore_cases.yaml")):
        with open(os.path.join(CASES, file_name), encoding="utf-8") as file:
            for one in yaml.safe_load_all(file):
                count += 1
                taken, errors = judged(bed, kind, one)
                if taken == bool(one["broken"]):
                    apart.append(f"{kind}: {one['case']}: {'accepted' if taken else errors.strip()}")
    assert not apart, "\n".join(apart)
    return f"{count} specs"
