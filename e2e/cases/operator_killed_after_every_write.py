"""The operator is killed right after each of its API writes in turn, and started again: every run ends with the objects of
the run in which nobody was killed (FAULTS K1, K2: the answer to that write is lost as well)."""

import concurrent.futures

from testbed.bed import CONVERGE, cluster
from testbed.waiting import until

AT_ONCE = 4  # runs beside each other, each in its namespace: most of their time is waiting


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


def run_once(bed, kill_after):
    """(what is there at the end, whether the operator was killed, its writes since the kill was asked for)"""
    proxy = bed.proxy()
    work = Workload(bed, proxy)
    if kill_after:
        proxy.kill_after(kill_after, lambda: work.operator.kill())
    found = work.live().replace(bed.namespace, "<namespace>")
    return found, proxy.killed, proxy.writes


def run(bed):
    with bed.sibling("reference") as one:
        reference, _, writes = run_once(one, None)
    assert len(writes) > 12, f"only {len(writes)} writes were seen; the proxy is not between operator and server: {writes}"

    def kill(count):
        with bed.sibling(f"kill-{count}") as one:
            found, killed, seen = run_once(one, count)
        assert found == reference, f"killed after write {count} ({seen[count - 1:count]}):\n{difference(reference, found)}"
        return killed

    # A run may need a few writes more or less than another (a status between two events): on until no kill happens.
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        kills = 0
        while True:
            happened = list(pool.map(kill, range(kills + 1, kills + 1 + AT_ONCE)))
            kills += sum(happened)
            if not all(happened):
                break
    assert kills >= len(writes) // 2, f"{kills} kills of {len(writes)} writes"
    return f"{kills} kills, each ended with the objects of the run without"


def difference(wanted, found):
    wanted_lines, found_lines = wanted.splitlines(), found.splitlines()
    return "\n".join([f"- {line}" for line in wanted_lines if line not in found_lines]
                     + [f"+ {line}" for line in found_lines if line not in wanted_lines])
