"""The pinned helm with the chart, and the Prometheus operator's definitions to check the chart's monitoring objects by."""

import json
import os
import pathlib
import subprocess

import yaml
from testbed import binaries

CHART = pathlib.Path(__file__).resolve().parents[2] / "helm" / "holdfast"
# A release of its Go module, which holds its definitions; checked against Go's checksum database.
PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.79.2"
# For what helm does without a server; it would assume an old one.
KUBE_VERSION = ("--kube-version", binaries.KUBERNETES_VERSION)


class Helm:
    def __init__(self, folder, kubeconfig=None, namespace="default", timeout=120.0):
        self._binary, self._kubeconfig, self._namespace, self._timeout = binaries.helm(), kubeconfig, namespace, timeout
        self._environment = dict(os.environ)
        for name in ("CACHE", "CONFIG", "DATA"):
            self._environment[f"HELM_{name}_HOME"] = os.path.join(folder, f"helm-{name.lower()}")

    def attempt(self, *arguments):
        """(exit status, standard output, standard error)"""
        command = [self._binary, *map(str, arguments), "--namespace", self._namespace]
        if self._kubeconfig:
            command += ["--kubeconfig", self._kubeconfig]
        done = subprocess.run(command, capture_output=True, text=True, timeout=self._timeout, check=False, env=self._environment)
        return done.returncode, done.stdout, done.stderr

    def run(self, *arguments):
        status, output, errors = self.attempt(*arguments)
        assert status == 0, f"helm {' '.join(map(str, arguments))}: {output}{errors}"
        return output

    def render(self, *settings):
        """The objects of `helm template`, hooks included."""
        return [one for one in yaml.safe_load_all(self.run("template", "release", CHART, *KUBE_VERSION, *settings)) if one]


def monitoring_definitions():
    """Paths of the definitions of ServiceMonitor, PodMonitor and PrometheusRule."""
    answer = subprocess.run([binaries.go(), "mod", "download", "-json", PROMETHEUS_OPERATOR], cwd="/", text=True, check=False,
                            stdout=subprocess.PIPE, env=dict(os.environ, GO111MODULE="on", GOFLAGS="-mod=mod", GOWORK="off"))
    if answer.returncode != 0:
        raise binaries.Missing(f"the module proxy gave no {PROMETHEUS_OPERATOR}: {answer.stdout.strip() or 'see above'}")
    folder = pathlib.Path(json.loads(answer.stdout)["Dir"], "example", "prometheus-operator-crd")
    return [folder / f"monitoring.coreos.com_{kind}.yaml" for kind in ("servicemonitors", "podmonitors", "prometheusrules")]

