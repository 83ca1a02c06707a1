"""Runs the end-to-end cases: every behaviour in e2e/cases/ against a real kube-apiserver and against the operator's double
of it, so that the double is kept honest, and what takes pods on a whole cluster. Ends with `N passed, N failed`."""

import argparse
import importlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

# pylint: disable=wrong-import-position
from testbed import binaries, images, namespaces, servers  # noqa: E402
from testbed.api import Api, path_of  # noqa: E402
from testbed.bed import Bed  # noqa: E402
from testbed.cluster_bed import ClusterBed, GivenCluster  # noqa: E402
from testbed.node import NodeCluster  # noqa: E402
from testbed.waiting import until  # noqa: E402


def load(patterns):
    cases = []
    for path in sorted((HERE / "cases").glob("*.py")):
        name = path.stem
        if name != "__init__" and (not patterns or any(pattern in name for pattern in patterns)):
            cases.append((name, importlib.import_module(f"cases.{name}")))
    return cases


def run_case(name, module, bed, last_words):
    started, words = time.monotonic(), ""
    try:
        with bed:
            try:
                note = module.run(bed)
            except Exception:
                words = last_words(bed)  # while it is still there
                raise
    except Exception:  # pylint: disable=broad-exception-caught
        print(f"FAILED  {name} ({time.monotonic() - started:.1f} s)")
        traceback.print_exc(file=sys.stdout)
        print(f"--- last words\n{words}\n---", flush=True)
        return False
    print(f"passed  {name} ({time.monotonic() - started:.1f} s){f': {note}' if note else ''}", flush=True)
    return True


def start(kind, folder, operator):
    double = os.path.join(os.path.dirname(operator), "holdfast-api-double")
    server = servers.RealServer(folder) if kind == "real" else servers.DoubleServer(folder, double)
    subprocess.run([servers.kubectl_binary(), "--kubeconfig", server.kubeconfig, "--cache-dir", os.path.join(folder, "cache"),
                    "apply", "-f", str(HERE.parent / "crds")], check=True, stdout=subprocess.DEVNULL)
    server.allow(operator)
    until("the definitions are served", lambda: served(Api(server.url, server.certificates)))
    return server


def served(api):
    """Established is said a moment before the paths are there."""
    return all(api.send("GET", path_of(kind, "default"))[0] == 200 for kind in ("storageclusters", "storagemigrations", "storagebackups", "storagerestores"))


def run_on_server(kind, options, operator):
    """[(name, whether it passed)]"""
    results = []
    with tempfile.TemporaryDirectory(prefix="holdfast-e2e-") as folder:
        server = start(kind, folder, operator)
        try:
            for name, module in chosen(kind, options):
                bed = Bed(server, operator, f"e2e-{len(results) + 1}", folder)
                results.append((f"{kind}.{name}", run_case(f"{kind}.{name}", module, bed, last_log(options))))
        finally:
            server.stop()
    return results


def chosen(kind, options):
    for name, module in load(options.case):
        left_out = (options.quick and hasattr(module, "SLOW")) or (options.registry and hasattr(module, "OWN_NODE"))
        if kind in getattr(module, "SERVERS", ("real", "double")) and not left_out:
            yield name, module


def last_log(options):
    return lambda bed: f"end of the operator's log\n{bed.operator_log()[-(6000 if options.verbose else 1500):]}"


def run_on_cluster(cluster, options, folder):
    """The cases that talk to a whole cluster, whoever made it."""
    programs = options.operator and os.path.dirname(os.path.abspath(options.operator))
    results = []
    try:
        for name, module in chosen("cluster", options):
            bed = ClusterBed(cluster, f"holdfast-e2e-{len(results) + 1}", folder, programs)
            results.append((f"cluster.{name}", run_case(f"cluster.{name}", module, bed, ClusterBed.last_words)))
        ClusterBed(cluster, "default", folder).uninstall()
    finally:
        cluster.stop()
    return results


def run_on_given_cluster(options):
    kubeconfig = os.environ.get("KUBECONFIG")
    if not kubeconfig:
        raise binaries.Missing("--registry is about the cluster of $KUBECONFIG, which is not set")
    binaries.helm()
    with tempfile.TemporaryDirectory(prefix="holdfast-e2e-") as folder:
        return run_on_cluster(GivenCluster(kubeconfig, options.registry), options, folder)


def run_on_own_cluster(options, operator):
    """Makes what needs the network here, and a cluster of it in namespaces that have none."""
    namespaces.require()
    for name in binaries.NODE_PROGRAMS:
        binaries.kubernetes(name)
    binaries.helm()
    folder = tempfile.mkdtemp(prefix="holdfast-e2e-")
    try:
        archives = images.archives(os.path.dirname(operator), folder)
        pathlib.Path(folder, "archives.json").write_text(json.dumps(archives), encoding="utf-8")
        with namespaces.control_group(os.path.basename(folder)):
            namespaces.run_inside([sys.executable, os.path.abspath(__file__), *sys.argv[1:], "--inside", folder])
        results = pathlib.Path(folder, "results.json")
        return json.loads(results.read_text(encoding="utf-8")) if results.exists() else [("cluster: it did not come up", False)]
    finally:
        namespaces.remove_folder(folder)


def run_inside(options):
    folder = pathlib.Path(options.inside)
    namespaces.become_node(folder)
    archives = json.loads((folder / "archives.json").read_text(encoding="utf-8"))
    results = run_on_cluster(NodeCluster(str(folder), folder.name, archives), options, str(folder))
    (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operator", help="the holdfast-operator binary; holdfast and holdfast-api-double are beside it. Not needed "
                                           "with --registry")
    parser.add_argument("--server", choices=("real", "double", "both", "cluster", "all"), default="all",
                        help="both: real and double; cluster: one with nodes, made here or given (--registry); all, which is "
                             "without the cluster when --quick, is the default")
    parser.add_argument("--registry", help="the cluster is that of $KUBECONFIG, and its nodes pull the images that "
                                           "scripts/build_images.sh makes from here, such as registry.example/team")
    parser.add_argument("--case", action="append", default=[], help="only cases whose name contains this; may be repeated")
    parser.add_argument("--quick", action="store_true",
                        help="without the cases that take minutes, or programs that nothing else needs (SLOW in the case)")
    parser.add_argument("--verbose", action="store_true", help="longer logs of what failed")
    parser.add_argument("--inside", help=argparse.SUPPRESS)  # of the namespaces, in this folder
    options = parser.parse_args()
    if options.inside:
        return run_inside(options)
    operator = os.path.abspath(options.operator or "holdfast-operator")
    if not options.registry and not os.access(operator, os.X_OK):
        sys.exit(f"error: --operator: {operator} is not there; `make e2e` builds it")

    servers_of = {"both": ("real", "double"), "all": ("real", "double") if options.quick else ("real", "double", "cluster")}
    results = []
    for kind in servers_of.get(options.server, (options.server,)):
        if kind != "cluster":
            results += run_on_server(kind, options, operator)
        elif options.registry:
            results += run_on_given_cluster(options)
        else:
            results += run_on_own_cluster(options, operator)
    failed = [name for name, passed in results if not passed]
    for name in failed:
        print(f"failed: {name}")
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    # As Ctrl-C does: through the `finally` blocks, which stop what was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except binaries.Missing as error:
        sys.exit(f"error: {error}")
