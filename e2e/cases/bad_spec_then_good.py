"""A spec that cannot be is refused or reported, never half applied; the last good one applied again converges (FAULTS K26)."""

from testbed.bed import CONVERGE, cluster, condition
from testbed.waiting import until


def run(bed):
    bed.operator()
    bed.apply(cluster())
    bed.wait_ready()
    before = {name: one["metadata"]["uid"] for name, one in bed.children().items()}
    status, _, errors = bed.try_apply(cluster(stores=[{"name": "main", "backend": "nowhere"}]))
    if status != 0:
        assert "stores" in errors, errors
    else:  # a server that does not evaluate the rules: the operator does

        def reported():
            state = condition(bed.storage_cluster(), "Ready")
            assert state["status"] == "False" and "stores" in state["message"], state
            return True

        until("the status names the field", reported, CONVERGE)
    bed.apply(cluster())
    bed.wait_ready()
    after = {name: one["metadata"]["uid"] for name, one in bed.children().items()}
    assert after == before, "children were made anew"
