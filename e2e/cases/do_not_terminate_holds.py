"""terminationPolicy DoNotTerminate: a deleted cluster stays, with all it has, and says why; another policy lets it go."""

from testbed.bed import CONVERGE, cluster
from testbed.waiting import until


def run(bed):
    bed.operator()
    bed.apply(cluster(policy="DoNotTerminate"))
    bed.wait_ready()
    children = sorted(bed.children())
    bed.kubectl("delete", "storagecluster", "demo", "--wait=false")

    def explained():
        one = bed.storage_cluster()
        assert one and one["metadata"].get("deletionTimestamp"), "it is gone, or was not deleted"
        said = [row["message"] for row in one["status"]["conditions"] if "DoNotTerminate" in row["message"]]
        assert said, f"no condition names the policy: {one['status']['conditions']}"
        return True

    until("the status says what holds it", explained, CONVERGE)
    assert sorted(bed.children()) == children
    bed.kubectl("patch", "storagecluster", "demo", "--type=merge", "-p", '{"spec":{"terminationPolicy":"Delete"}}')
    bed.wait_gone()
    until("its claim is gone", lambda: bed.claims() == [], CONVERGE)
