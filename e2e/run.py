"""Runs the end-to-end cases: every behaviour in e2e/cases/ against a real kube-apiserver and against the operator's double
of it, so that the double is kept honest. Ends with `N passed, N failed`."""

import argparse
import importlib
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
from testbed import binaries, servers  # noqa: E402
from testbed.api import Api, path_of  # noqa: E402
from testbed.bed import Bed  # noqa: E402
from testbed.waiting import until  # noqa: E402


def load(patterns):
    cases = []
    for path in sorted((HERE / "cases").glob("*.py")):
        name = path.stem
        if name != "__init__" and (not patterns or any(pattern in name for pattern in patterns)):
            cases.append((name, importlib.import_module(f"cases.{name}")))
    return cases


def run_case(server, operator, name, module, number, folder, log_bytes):
    bed = Bed(server, operator, f"e2e-{number}", folder)
    started = time.monotonic()
    try:
        with bed:
            note = module.run(bed)
    except Exception:  # pylint: disable=broad-exception-caught
        print(f"FAILED  {server.name}.{name} ({time.monotonic() - started:.1f} s)")
        traceback.print_exc(file=sys.stdout)
        print(f"--- end of the operator's log\n{bed.operator_log()[-log_bytes:]}\n---", flush=True)
        return False
    print(f"passed  {server.name}.{name} ({time.monotonic() - started:.1f} s){f': {note}' if note else ''}", flush=True)
    return True


def start(kind, folder, operator):
    double = os.path.join(os.path.dirname(operator), "holdfast-api-double")
    server = servers.RealServer(folder) if kind == "real" else servers.DoubleServer(folder, double)
    subprocess.run([servers.kubectl_binary(), "--kubeconfig", server.kubeconfig, "--cache-dir", os.path.join(folder, "cache"),
                    "apply", "-f", str(HERE.parent / "crds")], check=True, stdout=subprocess.DEVNULL)
    server.allow(operator)
    until("the definition of StorageCluster is served", lambda: served(Api(server.url, server.certificates)))
    return server


def served(api):
    """Established is said a moment before the paths are there."""
    status, _ = api.send("GET", path_of("storageclusters", "default"))
    return status == 200


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operator", required=True, help="the holdfast-operator binary; holdfast and holdfast-api-double are beside it")
    parser.add_argument("--server", choices=("real", "double", "both"), default="both")
    parser.add_argument("--case", action="append", default=[], help="only cases whose name contains this; may be repeated")
    parser.add_argument("--quick", action="store_true",
                        help="without the cases that take minutes, or programs that nothing else needs (SLOW in the case)")
    parser.add_argument("--verbose", action="store_true", help="longer logs of what failed")
    options = parser.parse_args()
    operator = os.path.abspath(options.operator)
    if not os.access(operator, os.X_OK):
        sys.exit(f"error: {operator} is not there; `make e2e` builds it")

    passed, failed, number = 0, [], 0
    for kind in ("real", "double") if options.server == "both" else (options.server,):
        with tempfile.TemporaryDirectory(prefix="holdfast-e2e-") as folder:
            server = start(kind, folder, operator)
            try:
                for name, module in load(options.case):
                    if kind not in getattr(module, "SERVERS", ("real", "double")) or options.quick and hasattr(module, "SLOW"):
                        continue
                    number += 1
                    if run_case(server, operator, name, module, number, folder, 6000 if options.verbose else 1500):
                        passed += 1
                    else:
                        failed.append(f"{kind}.{name}")
            finally:
                server.stop()
    for name in failed:
        print(f"failed: {name}")
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    # As Ctrl-C does: through the `finally` blocks, which stop what was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except binaries.Missing as error:
        sys.exit(f"error: {error}")
