"""docs/operations.md, "Rebalance": its lines, as they stand there but for which pod is the primary, move the primary and then its
former pod under load; no request fails for good, and everything acknowledged is there."""

import pathlib
import re
import shlex

from cases.pods_fail_over_under_load import another, primary
from cases.pods_serve_a_postgres_cluster import postgres
from testbed.cluster_bed import CONVERGE
from testbed.load import Load
from testbed.waiting import until

SERVERS = ("cluster",)
PAGE = pathlib.Path(__file__).parents[2] / "docs" / "operations.md"
PRIMARY_THERE = "demo-db-0"


def lines():
    """The words behind `kubectl` of each line."""
    section = re.search(r"^## Rebalance\n.*?^```console\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M)[1]
    return [shlex.split(line)[2:] for line in section.splitlines()]


def run(bed):
    bed.install()
    bed.apply(postgres())
    bed.wait_ready()
    former = until("there is a primary", lambda: primary(bed))

    def here(word):
        return word.replace(PRIMARY_THERE, former["name"])

    with Load(bed) as load:
        for words in lines():
            bed.kubectl(*map(here, words), timeout=CONVERGE)
        now = until("another pod is the primary", lambda: another(bed, former), CONVERGE)
        back = until("the former primary's pod is made anew", lambda: new_pod(bed, former), CONVERGE)
        load.goes_on()
        bed.wait_ready()
        return f"{former['name']} handed over to {now['name']} and came back on {back}; {load.finish()}"


def new_pod(bed, former):
    pod = bed.get("pod", former["name"])
    return pod and pod["metadata"]["uid"] != former["uid"] and pod["spec"].get("nodeName")
