"""A node in namespaces of its own: processes, mounts, network and firewall rules of everything that is started in there end with
it, however it ends, and nothing of the machine is changed but a control group, which is removed."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys

from testbed import binaries
from testbed.waiting import TimedOut, until

NODE_ADDRESS = "10.245.0.1"
CONTROL_GROUPS = pathlib.Path("/sys/fs/cgroup")
NEEDED_CONTROLLERS = ("cpu", "memory", "pids")
# What the kubelet wants of the machine's kernel. It finds files of these values in their place, and sets nothing.
KERNEL_SETTINGS = {"vm/overcommit_memory": 1, "vm/panic_on_oom": 0, "kernel/panic": 10, "kernel/panic_on_oops": 1,
                   "kernel/keys/root_maxkeys": 1000000, "kernel/keys/root_maxbytes": 25000000}
PRIVILEGED = "if this is a container, start it with --privileged"
ELSEWHERE = "or give another cluster by KUBECONFIG and --registry (e2e/README.md)"
UNSHARE = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")


def hierarchies():
    """Where control groups are made: one folder with version 2, with version 1 one per controller, and runc makes some in one of
    version 2 beside those as well."""
    if (CONTROL_GROUPS / "cgroup.controllers").exists():
        return [CONTROL_GROUPS]
    # cpu and cpuacct may be links to one and the same.
    found = [path for path in CONTROL_GROUPS.iterdir() if (path / "cgroup.procs").exists()] if CONTROL_GROUPS.is_dir() else []
    return sorted({path.resolve() for path in found})


def controllers():
    one = CONTROL_GROUPS / "cgroup.controllers"
    if one.exists():
        return set(one.read_text(encoding="ascii").split())
    return {path.name for path in CONTROL_GROUPS.iterdir() if path.is_dir()} if CONTROL_GROUPS.is_dir() else set()


def require():
    """Raises Missing, which says what to do, when this machine does not let us make a node."""
    if os.geteuid() != 0:
        raise binaries.Missing(f"a cluster on this machine needs root for its mounts, networks and containers: run it as root, "
                               f"{ELSEWHERE}")
    tried = subprocess.run([*UNSHARE, "sh", "-c", "mount -t tmpfs none /run && ip link add node0 type bridge && "
                                                  "ip link add pod0 type veth peer name pod1 && iptables --table nat --list-rules"],
                           capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        raise binaries.Missing(f"this machine does not allow namespaces with mounts, bridges and iptables "
                               f"({tried.stderr.strip()}): {PRIVILEGED}, {ELSEWHERE}")
    lacking = [name for name in NEEDED_CONTROLLERS if name not in controllers()]
    if lacking:
        raise binaries.Missing(f"there is no control group for {', '.join(lacking)} below {CONTROL_GROUPS}: mount them, or "
                               f"{PRIVILEGED}, {ELSEWHERE}")
    probe = f"holdfast-e2e-probe-{os.getpid()}"
    try:
        with control_group(probe):
            pass
    except OSError as error:
        raise binaries.Missing(f"no control group can be made ({error}): mount {CONTROL_GROUPS} writable, {ELSEWHERE}") from error


@contextlib.contextmanager
def control_group(name):
    """A group in every hierarchy, which the kubelet has all pods in; removed with what is left in it."""
    folders = [path / name for path in hierarchies()]
    try:
        for folder in folders:
            folder.mkdir()
            for setting in ("cpuset.cpus", "cpuset.mems"):  # of version 1: empty in a new group, and then it holds nothing
                if (folder / setting).exists() and (folder / "tasks").exists():
                    (folder / setting).write_text((folder.parent / setting).read_text(encoding="ascii"), encoding="ascii")
        yield
    finally:
        for folder in folders:
            remove_group(folder)


def removed(folder, remove):
    """A warning when it does not go in time: the last processes of the node, and its mounts with them, take a moment."""
    def gone():
        with contextlib.suppress(OSError):
            remove()
        return not os.path.exists(folder)

    try:
        until(f"{folder} is removed", gone, deadline=10.0)
    except TimedOut as error:
        print(f"warning: {error}", file=sys.stderr)


def remove_group(folder):
    def remove():
        for path, _, _ in os.walk(folder, topdown=False):
            os.rmdir(path)

    removed(folder, remove)


def run_inside(command):
    """The exit status of the command, which is process 1 of new namespaces. They end with it, and with this process."""
    return subprocess.run([*UNSHARE, *command], check=False).returncode


def become_node(folder):
    """To be called by process 1 of new namespaces: returns in a child, when mounts and network are set up, while process 1 itself
    reaps orphans and ends with the child."""
    own = pathlib.Path(folder, "own")
    (own / "log").mkdir(parents=True)
    # The container runtime, its plugins and the kubelet have paths of their own that nobody can set.
    for path in ("/run", "/var/lib"):
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", path)
    run("mount", "--bind", own / "log", "/var/log")
    for name, value in KERNEL_SETTINGS.items():
        if os.path.exists(f"/proc/sys/{name}"):
            fake = own / name.replace("/", ".")
            fake.write_text(f"{value}\n", encoding="ascii")
            run("mount", "--bind", fake, f"/proc/sys/{name}")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "node0", "type", "bridge")
    run("ip", "address", "add", f"{NODE_ADDRESS}/32", "dev", "node0")
    run("ip", "link", "set", "node0", "up")
    for name in ("ipv4/ip_forward", "bridge/bridge-nf-call-iptables"):
        pathlib.Path("/proc/sys/net", name).write_text("1\n", encoding="ascii")
    child = os.fork()
    if child == 0:
        return
    # Ctrl-C reaches the child as well, and the child decides.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    while True:
        ended, status = os.wait()
        if ended == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def run(*command):
    subprocess.run([str(part) for part in command], check=True)


def remove_folder(folder):
    removed(folder, lambda: shutil.rmtree(folder))
