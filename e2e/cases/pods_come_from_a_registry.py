"""The cases run unchanged on a cluster that is given by its kubeconfig, whose nodes pull the images from a registry."""

import os
import pathlib
import re
import subprocess
import sys

SERVERS = ("cluster",)
OWN_NODE = True  # it is the cluster that is given
RUN = pathlib.Path(__file__).resolve().parent.parent / "run.py"
CASES = ("pods_run_the_chart", "pods_serve_a_postgres_cluster")


def run(bed):
    bed.uninstall()
    with bed.cluster.registry() as registry:
        chosen = [part for case in CASES for part in ("--case", case)]
        done = subprocess.run([sys.executable, RUN, "--server", "cluster", "--registry", f"{registry.host}/team", *chosen],
                              env=dict(os.environ, KUBECONFIG=bed.cluster.kubeconfig), capture_output=True, text=True, timeout=1200,
                              check=False)
        assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
        assert re.search(rf"^{len(CASES)} passed, 0 failed$", done.stdout, re.M), done.stdout
        assert registry.asked >= {"holdfast-operator", "holdfast", "holdfast-postgres"}, registry.asked
