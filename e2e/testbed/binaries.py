"""Finds the programs of Kubernetes and etcd; builds those of Kubernetes and helm with Go from the module proxy where they are
nowhere to be found.

Looked at in this order: $KUBEBUILDER_ASSETS, PATH, the cache folder ${XDG_CACHE_HOME:-~/.cache}/holdfast/kubernetes-<version>/.
A build lands in the cache, under its final name only when it is complete. helm is always the pinned one, from the cache
folder helm-<version>/.
"""

import fcntl
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

KUBERNETES_VERSION = "v1.34.4"
GO_MINIMUM = (1, 24)
# What a Go that is too old fetches, as a module checked against the public checksum database, to build with.
GO_TOOLCHAIN = "v0.0.1-go1.24.11.linux-amd64"
KUBERNETES_MODULE = pathlib.Path(__file__).resolve().parent.parent / "kubernetes"
NODE_PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
HELM_VERSION = "v3.19.5"
HELM_MODULE = pathlib.Path(__file__).resolve().parent.parent / "helm"


class Missing(Exception):
    """A binary is not there and cannot be made; the message says what to do."""


def cache_root():
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "holdfast")


def cache_folder():
    return cache_root() / f"kubernetes-{KUBERNETES_VERSION}"


def find(name):
    places = [os.environ["KUBEBUILDER_ASSETS"]] if os.environ.get("KUBEBUILDER_ASSETS") else []
    places += [*os.environ.get("PATH", "").split(os.pathsep), "/usr/sbin", str(cache_folder())]
    return shutil.which(name, path=os.pathsep.join(places))


def require(name):
    found = find(name)
    if not found:
        raise Missing(f"{name} is not on PATH; `make e2e` installs it from Debian's packages")
    return found


def kube_apiserver():
    return kubernetes("kube-apiserver")


def kubernetes(name):
    """Path of one of NODE_PROGRAMS."""
    major, minor = KUBERNETES_VERSION.lstrip("v").split(".")[:2]
    version = "k8s.io/component-base/version"
    definitions = f"-X {version}.gitVersion={KUBERNETES_VERSION} -X {version}.gitMajor={major} -X {version}.gitMinor={minor}"
    return find(name) or str(
        build(name, KUBERNETES_VERSION, cache_folder(), KUBERNETES_MODULE, f"k8s.io/kubernetes/cmd/{name}", definitions))


def helm():
    """The pinned helm, and no other: what a chart renders to differs between versions."""
    return str(build("helm", HELM_VERSION, cache_root() / f"helm-{HELM_VERSION}", HELM_MODULE, "helm.sh/helm/v3/cmd/helm",
                     f"-X helm.sh/helm/v3/internal/version.version={HELM_VERSION}"))


def build(name, version, folder, source, package, definitions):
    """folder/name, built with Go from the module `source` unless it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    with open(folder / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs at once: the second one finds the first one's binary
        if target.exists():
            return target
        started = time.monotonic()
        print(f"== building {name} {version} with Go, once (some minutes); kept in {folder}", flush=True)
        module = folder / "module"
        shutil.copytree(source, module, dirs_exist_ok=True)
        part = folder / f"{name}.part"
        command = [go(), "build", "-mod=readonly", "-trimpath", "-ldflags", f"-s -w {definitions}", "-o", str(part), package]
        # Its dependencies are pure Go; without cgo no C compiler's quirks come in.
        environment = dict(os.environ, CGO_ENABLED="0", GOFLAGS="", GOWORK="off")
        if subprocess.run(command, cwd=module, env=environment, check=False).returncode != 0:
            raise Missing(f"{name} could not be built (go's own message is above). It needs the Go module proxy; without it, "
                          f"put {name} {version} at {target}")
        part.rename(target)
        print(f"== {name} built in {time.monotonic() - started:.0f} s", flush=True)
        return target


def go():
    """A Go new enough, fetched through an older one where need be."""
    found = shutil.which("go")
    if not found:
        raise Missing("there is no Go to build Kubernetes and helm with: install Debian's golang-go (`make e2e` does), or put "
                      "kube-apiserver on PATH or name its folder in KUBEBUILDER_ASSETS")
    match = re.search(r"go(\d+)\.(\d+)", subprocess.run([found, "version"], capture_output=True, text=True, check=True).stdout)
    # From 1.21 on, go itself fetches the toolchain that a go.mod asks for.
    if match and (int(match[1]), int(match[2])) >= (1, 21):
        return found
    print(f"== {found} is older than {'.'.join(map(str, GO_MINIMUM))}: fetching golang.org/toolchain {GO_TOOLCHAIN}", flush=True)
    answer = subprocess.run([found, "mod", "download", "-json", f"golang.org/toolchain@{GO_TOOLCHAIN}"], cwd="/",
                            env=dict(os.environ, GO111MODULE="on", GOFLAGS="-mod=mod"), stdout=subprocess.PIPE, text=True, check=False)
    if answer.returncode != 0:
        raise Missing(f"Go >= {'.'.join(map(str, GO_MINIMUM))} is needed to build Kubernetes and helm, and the module "
                      f"proxy gave none: {answer.stdout.strip() or 'see above'}")
    source = pathlib.Path(json.loads(answer.stdout)["Dir"])
    toolchain = cache_folder() / GO_TOOLCHAIN
    if not (toolchain / "bin" / "go").exists():
        # The module cache keeps files without their execute permission.
        part = toolchain.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(source, part)
        for tool in [*(part / "bin").iterdir(), *(part / "pkg" / "tool").rglob("*")]:
            if tool.is_file():
                tool.chmod(0o755)
        part.rename(toolchain)
    return str(toolchain / "bin" / "go")


if __name__ == "__main__":
    try:
        print(kube_apiserver())
        print(require("etcd"))
    except Missing as error:
        sys.exit(f"error: {error}")
