"""A Kubernetes of one node, with everything a real one has: controllers, a scheduler, a kubelet over containerd and runc,
Services by kube-proxy and iptables, DNS by dnsmasq, NetworkPolicies by testbed/policies.py. To be started inside the namespaces of
testbed/namespaces.py, which end all of it."""

import ipaddress
import json
import pathlib
import socket
import subprocess
import time

from testbed import binaries, images
from testbed.api import Api
from testbed.names import Names
from testbed.namespaces import NODE_ADDRESS
from testbed.policies import Policies
from testbed.ports import free_port
from testbed.registry import Registry
from testbed.servers import SERVICE_ADDRESSES, RealServer
from testbed.waiting import until

NODE = "node"
POD_ADDRESSES = "10.244.0.0/24"
KUBERNETES_SERVICE = str(next(ipaddress.ip_network(SERVICE_ADDRESSES).hosts()))
RUNTIME = "/run/containerd/containerd.sock"
PLUGINS = "/usr/lib/cni"  # Debian's containernetworking-plugins
CLASS = "local"
GROWING_CLASS = "local-growing"  # claims of it may ask for more, and nobody gives it
VOLUMES = {CLASS: 24, GROWING_CLASS: 2}  # as many as a case claims: without a provisioner a volume is used once
VOLUME_SIZE = "2Gi"

CONTAINERD = """version = 2
root = "{folder}/containerd"
state = "/run/containerd/state"
[grpc]
  address = "{runtime}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # Where the capability SYS_RESOURCE is missing, no sandbox could be started otherwise.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{folder}/registries"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{folder}/network"
"""

def network(folder):
    bridge = {"type": "bridge", "bridge": "pods0", "isGateway": True, "hairpinMode": True,
              "ipam": {"type": "host-local", "ranges": [[{"subnet": POD_ADDRESSES}]], "routes": [{"dst": "0.0.0.0/0"}],
                       "dataDir": f"{folder}/addresses"}}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]}


def kubelet(folder, authority, control_group):
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration", "address": NODE_ADDRESS,
        "authentication": {"x509": {"clientCAFile": authority}, "webhook": {"enabled": False}, "anonymous": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "clusterDNS": [NODE_ADDRESS], "clusterDomain": "cluster.local", "resolvConf": f"{folder}/resolv.conf",
        "containerRuntimeEndpoint": f"unix://{RUNTIME}", "podLogsDir": f"{folder}/pod-logs", "volumePluginDir": f"{folder}/plugins",
        "cgroupDriver": "cgroupfs", "cgroupRoot": f"/{control_group}", "failCgroupV1": False, "failSwapOn": False,
        # Disks that others fill are not this cluster's to tidy up.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100, "oomScoreAdj": 0, "registerNode": True,
        "syncFrequency": "10s", "volumeStatsAggPeriod": "10s",
    }


def proxy(kubeconfig):
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": "iptables",
        "clientConnection": {"kubeconfig": kubeconfig}, "clusterCIDR": POD_ADDRESSES, "hostnameOverride": NODE, "oomScoreAdj": 0,
        # Zero: leave as they are.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def runtime():
    return [binaries.require("ctr"), "--address", RUNTIME, "--namespace", "k8s.io"]


class NodeCluster(RealServer):
    name = "cluster"
    certificate_names = (f"IP:{NODE_ADDRESS}", f"IP:{KUBERNETES_SERVICE}", "DNS:kubernetes.default", "DNS:kubernetes.default.svc")
    chart_settings = ()

    def __init__(self, folder, control_group, archives):
        started = time.monotonic()
        self._control_group = control_group
        own = self._own = pathlib.Path(folder, "node")
        for name in ("network", "pod-logs", "plugins", "volumes"):
            (own / name).mkdir(parents=True)
        super().__init__(folder)
        told = self._containerd(archives)
        try:
            self._node()
            self._dns()
            Policies(self)
            self._storage_classes()
            until("the node is ready", self._node_is_ready, deadline=180)
        except Exception:
            print(self.last_words())
            raise
        self.description += f" with a kubelet over {told}"
        print(f"{self.description} is ready after {time.monotonic() - started:.1f} s", flush=True)

    @property
    def flags(self):
        certificate, key = self._made.admin
        return ("--bind-address", "0.0.0.0", "--advertise-address", NODE_ADDRESS, "--allow-privileged",
                "--kubelet-preferred-address-types", "InternalIP", "--kubelet-client-certificate", certificate,
                "--kubelet-client-key", key)

    def _write(self, name, content):
        path = self._own / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    def _containerd(self, archives):
        config = self._write("containerd.toml", CONTAINERD.format(folder=self._own, runtime=RUNTIME, pause=images.PAUSE_IMAGE,
                                                                  plugins=PLUGINS))
        self._write("network/pods.conflist", network(self._own))
        self._run("containerd", [binaries.require("containerd"), "--config", config], str(self._own))
        def answers():
            self._all_run()
            return subprocess.run([*runtime(), "version"], capture_output=True, check=False).returncode == 0

        until("containerd answers", answers)
        images.import_all(archives, runtime())
        told = subprocess.run([binaries.require("containerd"), "--version"], capture_output=True, text=True, check=True).stdout
        return f"containerd {told.split()[2]}"

    def _node(self):
        folder, authority, kubeconfig = str(self._own), self._made.authority, self.kubeconfig
        self._run("kube-controller-manager", [
            binaries.kubernetes("kube-controller-manager"), "--kubeconfig", kubeconfig, "--leader-elect=false",
            "--service-account-private-key-file", self._made.service_account_key, "--root-ca-file", authority,
            "--bind-address", "127.0.0.1", "--secure-port", free_port(), "--use-service-account-credentials"], folder)
        self._run("kube-scheduler", [
            binaries.kubernetes("kube-scheduler"), "--kubeconfig", kubeconfig, "--leader-elect=false",
            "--bind-address", "127.0.0.1", "--secure-port", free_port()], folder)
        self._write("resolv.conf", "")
        self._run("kubelet", [
            binaries.kubernetes("kubelet"), "--config", self._write("kubelet.json", kubelet(folder, authority, self._control_group)),
            "--kubeconfig", kubeconfig, "--node-ip", NODE_ADDRESS, "--hostname-override", NODE,
            "--root-dir", f"{folder}/kubelet", "--cert-dir", f"{folder}/kubelet-certificates"], folder)
        self._run("kube-proxy", [
            binaries.kubernetes("kube-proxy"), "--config", self._write("proxy.json", proxy(kubeconfig))], folder)

    def _dns(self):
        hosts = self._write("hosts", "")
        # Only the cluster's own names: nothing in it asks for others.
        self._run("dnsmasq", [
            binaries.require("dnsmasq"), "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
            "--bind-interfaces", "--except-interface=lo", f"--listen-address={NODE_ADDRESS}", "--pid-file",
            f"--addn-hosts={hosts}", "--local=/cluster.local/", "--log-facility=-"], str(self._own))
        until("dnsmasq listens", self._dns_listens)  # and so knows the signal that it is sent for new names
        Names(self, hosts, self._processes[-1].pid)

    def _dns_listens(self):
        self._all_run()
        with socket.socket() as one:
            return one.connect_ex((NODE_ADDRESS, 53)) == 0

    def _storage_classes(self):
        for name in VOLUMES:
            default = str(name == CLASS).lower()
            Api(self.url, self.certificates).call("POST", "/apis/storage.k8s.io/v1/storageclasses", {
                "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "kubernetes.io/no-provisioner",
                "metadata": {"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": default}},
                "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": name == GROWING_CLASS})

    def provide_volumes(self):
        """As many free ones as a case may claim. Folders of this node; unlike hostPath they are made the group's (fsGroup) as a
        disk would be."""
        api = Api(self.url, self.certificates)
        there = api.call("GET", "/api/v1/persistentvolumes")["items"]
        here = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}]}
        for name, wanted in VOLUMES.items():
            known = [one for one in there if one["spec"]["storageClassName"] == name]
            free = sum("claimRef" not in one["spec"] for one in known)
            for volume in (f"{name}-{len(known) + number}" for number in range(wanted - free)):
                path = self._own / "volumes" / volume
                path.mkdir()
                api.call("POST", "/api/v1/persistentvolumes", {
                    "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume},
                    "spec": {"capacity": {"storage": VOLUME_SIZE}, "accessModes": ["ReadWriteOnce"], "storageClassName": name,
                             "persistentVolumeReclaimPolicy": "Retain", "local": {"path": str(path)},
                             "nodeAffinity": {"required": {"nodeSelectorTerms": [here]}}}})

    def registry(self):
        """Of the images that were imported, which this node pulls from it without TLS; for `with`."""
        one = Registry(NODE_ADDRESS, runtime(), self._own / "containerd")
        hosts = self._own / "registries" / one.host
        hosts.mkdir(parents=True)
        (hosts / "hosts.toml").write_text(f'[host."http://{one.host}"]\ncapabilities = ["pull", "resolve"]\n', encoding="ascii")
        return one

    def crash(self, container):
        """SIGKILL to all processes of a container, by its id in the status of its pod: with the first one of their namespace they
        end at once, and nobody can do anything about it."""
        identity = container.removeprefix("containerd://")
        subprocess.run([*runtime(), "tasks", "kill", "--signal", "SIGKILL", identity], check=True, capture_output=True, timeout=60)

    def _node_is_ready(self):
        self._all_run()
        status, node = Api(self.url, self.certificates).send("GET", f"/api/v1/nodes/{NODE}")
        return status == 200 and any(row["type"] == "Ready" and row["status"] == "True" for row in node["status"]["conditions"])

    def last_words(self):
        """What the node's own programs have said of late."""
        programs = [one for one in self._processes if one.name in ("kubelet", "containerd")]
        return "\n".join(f"--- {one.name}\n{one.last_log()[-1500:]}" for one in programs)

