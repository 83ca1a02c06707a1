"""The images of the Dockerfile as archives that a container runtime imports, without a Docker daemon and without compiling anew:
the instructions of its stages are run here, those behind the stage `build` on this machine with the programs it has built
already, the others in the root folder of a bare Debian 12. Only what this Dockerfile uses is understood."""

import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import tarfile
import tempfile
import time

from testbed import binaries

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAUSE = ROOT / "e2e" / "node" / "pause.c"
PAUSE_IMAGE = "docker.io/library/holdfast-e2e-pause:1"
BUILT = "build/release/bin"  # where the Dockerfile's stage `build` has the programs
COMPILED = "build"


def version():
    return re.search(r"^project\(Holdfast VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"), re.M)[1]


def names():
    """{target of the Dockerfile: name and tag of its image}, as scripts/build_images.sh has them."""
    return {"operator": f"holdfast-operator:{version()}", "service": f"holdfast:{version()}",
            "postgres": f"holdfast-postgres:15-{version()}", "redis": f"holdfast-redis:7-{version()}"}


class Stage:
    def __init__(self, base):
        self.base, self.instructions = base, []

    def texts(self, word):
        return [text for found, text in self.instructions if found == word]


def stages(text):
    """{name: Stage} of a Dockerfile in which every stage has a name."""
    found, stage = {}, None
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if not line.strip():
            continue
        word, rest = line.split(None, 1)
        if word == "FROM":
            base, name = re.fullmatch(r"(\S+) AS (\S+)", rest.strip()).groups()
            stage = found[name] = Stage(base)
        elif stage:  # before the first one there are defaults of its base
            stage.instructions.append((word, rest.strip()))
    return found


def chain(found, name):
    """The stages that `name` consists of, the lowest first."""
    return (chain(found, found[name].base) if name in found else []) + ([name] if name in found else [])


def assignments(texts):
    return [tuple(one.split("=", 1)) for text in texts for one in shlex.split(text)]


def copied_from(stage):
    """(name of the stage, folder in it) that this last stage consists of."""
    return re.fullmatch(r"--from=(\S+) (\S*?)/? /", stage.texts("COPY")[0]).groups()


def settings(stage):
    """What the runtime is told about an image of this last stage."""
    def command(word):
        texts = stage.texts(word)
        return json.loads(texts[-1]) if texts else None

    return {"Env": ["=".join(one) for one in assignments(stage.texts("ENV"))], "User": stage.texts("USER")[-1],
            "Entrypoint": command("ENTRYPOINT"), "Cmd": command("CMD")}


def next_service():
    """The service of a next release (tests/next_release), whose tag differs from the service's own."""
    return f"{names()['service']}-next"


def archives(programs, folder):
    """Paths of archives with the three images, the next service's and the pause image; `programs` is where their programs are."""
    found = stages((ROOT / "Dockerfile").read_text(encoding="utf-8"))
    made = [pause(folder)]
    for target, name in names().items():
        started = time.monotonic()
        source, path = copied_from(found[target])
        if COMPILED in chain(found, source):
            made.append(from_programs(found, source, path, programs, settings(found[target]), name, folder))
        else:
            made.append(from_debian(found, source, settings(found[target]), name))
        print(f"image {name}: {os.path.getsize(made[-1]) / 1e6:.0f} MB, {time.monotonic() - started:.1f} s", flush=True)
    return [*made, of_next_service(found, programs, folder)]


def of_next_service(found, programs, folder):
    source, path = copied_from(found["service"])
    with tempfile.TemporaryDirectory(dir=folder) as next_programs:
        os.symlink(os.path.join(programs, "holdfast-next"), os.path.join(next_programs, "holdfast"))
        os.symlink(os.path.join(programs, "holdfast-operator"), os.path.join(next_programs, "holdfast-operator"))
        return from_programs(found, source, path, next_programs, settings(found["service"]), next_service(), folder)


def pause(folder):
    with tempfile.TemporaryDirectory(dir=folder) as root:
        subprocess.run(["cc", "-O2", "-static", "-o", os.path.join(root, "pause"), PAUSE], check=True)
        return archive(root, PAUSE_IMAGE, {"User": "65535:65535", "Entrypoint": ["/pause"]}, os.path.join(folder, "pause.tar"))


def from_programs(found, source, path, programs, config, name, folder):
    """As the stage does it, with the roots elsewhere than in `/` and the programs as given."""
    with tempfile.TemporaryDirectory(dir=folder) as root:
        for text in found[source].texts("RUN"):
            here = text.replace(os.path.dirname(path), root).replace(BUILT, str(programs))
            subprocess.run(["sh", "-c", here], cwd=ROOT, check=True)
        made = os.path.basename(path)
        return archive(os.path.join(root, made), name, config, os.path.join(folder, f"{re.sub('[^a-z0-9.]', '-', name)}.tar"))


def from_debian(found, source, config, name):
    """Kept, since it takes minutes and gigabytes pass by; made anew when its stages change."""
    steps = [(found[stage].texts("ENV"), found[stage].texts("RUN")) for stage in chain(found, source)]
    digest = hashlib.sha256(json.dumps([steps, config, name]).encode()).hexdigest()[:12]
    cache = binaries.cache_root() / "images"
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / f"{source}-{digest}.tar"
    if target.exists():
        return str(target)
    print(f"== building {name} from Debian's packages, once (some minutes); kept in {cache}", flush=True)
    with tempfile.TemporaryDirectory(dir=cache) as work:
        root = os.path.join(work, "root")
        checked(["debootstrap", "--variant=minbase", "bookworm", root], work)
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "APT_SOURCES": ""}
        for variables, commands in steps:
            environment |= dict(assignments(variables))
            for command in commands:
                in_root(root, command, environment, work)
        part = archive(root, name, config, os.path.join(work, "image.tar"))
        os.rename(part, target)
    return str(target)


def in_root(root, command, environment, folder):
    script = 'mount -t proc proc "$1/proc" && exec chroot "$1" /bin/sh -c "$2"'
    checked(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh", root, command], folder, environment)


def checked(command, folder, environment=None):
    log = os.path.join(folder, "log")
    with open(log, "w", encoding="utf-8") as output:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False)
    if done.returncode != 0:
        with open(log, encoding="utf-8", errors="replace") as output:
            raise binaries.Missing(f"{' '.join(command)[:200]} failed; it needs Debian's packages. Its last words:\n"
                                   f"{output.read()[-3000:]}")


def archive(root, name, config, target):
    """An archive as `docker save` writes it, with one layer."""
    layer = target + ".layer"
    subprocess.run(["tar", "--create", "--file", layer, "--numeric-owner", "--directory", root, "--exclude=./dev/*",
                    "--exclude=./proc/*", "--exclude=./sys/*", "."], check=True)
    with open(layer, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    about = {"architecture": "amd64", "os": "linux", "config": {key: value for key, value in config.items() if value},
             "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}}
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tempfile.TemporaryDirectory(dir=os.path.dirname(target)) as folder, tarfile.open(target, "w") as tar:
        for member, content in (("config.json", about), ("manifest.json", manifest)):
            path = os.path.join(folder, member)
            pathlib.Path(path).write_text(json.dumps(content), encoding="utf-8")
            tar.add(path, member)
        tar.add(layer, "layer.tar")
    os.unlink(layer)
    return target


def import_all(paths, containerd):
    for path in paths:
        subprocess.run([*containerd, "images", "import", path], check=True, stdout=subprocess.DEVNULL)

