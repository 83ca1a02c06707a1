"""The operator is killed right after each of its API writes in turn, and started again: every run ends with the objects of
the run in which nobody was killed (FAULTS K1, K2: the answer to that write is lost as well)."""

from testbed.bed import CONVERGE, cluster
from testbed.waiting import until


class Workload:
    """The steps of a cluster's life. An operator that has been killed is started again before the next question."""

    def __init__(self, bed, proxy):
        self.bed, self.proxy = bed, proxy
        self.operator = bed.operator(proxy)

    def converged(self, question):
        def ask():
            if not self.operator.running():
                self.operator.start()
            return question()
        return ask

    def wait(self, what, question):
        until(what, self.converged(question), CONVERGE)

    def live(self):
        bed = self.bed
        bed.apply(cluster())
        self.wait("created", bed.ready)
        bed.kubectl("scale", "storagecluster", "demo", "--replicas=0")
        self.wait("scaled to 0", lambda: bed.scaled(0))
        bed.kubectl("scale", "storagecluster", "demo", "--replicas=1")
        self.wait("scaled to 1", lambda: bed.scaled(1))
        bed.kubectl("delete", "storagecluster", "demo", "--wait=false")
        self.wait("gone", lambda: bed.gone() and not bed.claims())
        bed.apply(cluster())
        self.wait("created again", lambda: bed.ready() and bed.claims() == ["data-demo-0"])
        return bed.final_objects()

    def end(self):
        self.proxy.forget()
        self.bed.kubectl("delete", "storagecluster", "demo", "--wait=false")
        self.wait("cleaned up", lambda: self.bed.gone() and not self.bed.claims())
        self.operator.stop()


def run_once(bed, kill_after):
    proxy = bed.proxy()
    work = Workload(bed, proxy)
    if kill_after:
        proxy.kill_after(kill_after, lambda: work.operator.kill())
    found = work.live()
    killed = proxy.killed
    writes = proxy.writes
    work.end()
    proxy.stop()
    return found, killed, writes


def run(bed):
    reference, _, writes = run_once(bed, None)
    count = 0
    while True:
        count += 1
        found, killed, seen = run_once(bed, count)
        assert found == reference, f"killed after write {count} ({seen[count - 1:count]}):\n{difference(reference, found)}"
        if not killed:  # it needed fewer writes than that
            break
    assert count > 8, f"only {count - 1} writes were seen; the proxy is not between operator and server: {writes}"
    return f"{count - 1} kills, each converged to the reference run's {len(writes)} writes' objects"


def difference(wanted, found):
    wanted_lines, found_lines = wanted.splitlines(), found.splitlines()
    return "\n".join([f"- {line}" for line in wanted_lines if line not in found_lines]
                     + [f"+ {line}" for line in found_lines if line not in wanted_lines])
