"""Runs clang-tidy over every file of a compilation database, in parallel, and remembers which files were clean.

A file is remembered by a hash of everything of ours that decides its result: the file, every project header it reaches,
its compile command, .clang-tidy and the version of clang-tidy. Only clean results are kept.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

TOOL = "clang-tidy-14"
INCLUDE = re.compile(rb'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


class Sources:
    """Contents of project files, and which of them include which; each file is read once."""

    def __init__(self, root):
        self.root = root
        self._files = {}

    def _read(self, path):
        if path not in self._files:
            try:
                content = path.read_bytes()
            except OSError:
                content = b""
            includes = []
            for name in INCLUDE.findall(content):
                for folder in (self.root, path.parent):
                    candidate = folder / os.fsdecode(name)
                    if candidate.is_file():
                        includes.append(candidate.resolve())
                        break
            self._files[path] = (hashlib.sha256(content).digest(), includes)
        return self._files[path]

    def reachable(self, path):
        seen, waiting = set(), [path]
        while waiting:
            current = waiting.pop()
            if current not in seen:
                seen.add(current)
                waiting.extend(self._read(current)[1])
        return sorted(seen)

    def digest(self, path):
        return self._read(path)[0]


def key_of(sources, path, command, salt):
    digest = hashlib.sha256(salt)
    digest.update(command.encode())
    for reached in sources.reachable(path):
        digest.update(str(reached).encode() + b"\0" + sources.digest(reached))
    return digest.hexdigest()


def check(path, build):
    arguments = [TOOL, "--quiet", "-p", str(build), str(path)]
    # These are about g++'s options and warnings, which clang spells differently; g++ itself enforces them.
    for option in ("-Wno-unknown-warning-option", "-Wno-unused-command-line-argument", "-Wno-error"):
        arguments.append(f"--extra-arg={option}")
    finished = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    output = finished.stdout
    if finished.returncode != 0 and not output.strip():
        output = finished.stderr
    return finished.returncode, output


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="folder of compile_commands.json")
    parser.add_argument("--cache", type=pathlib.Path, required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("paths", nargs="*", help="only files whose path from here begins with one of these")
    options = parser.parse_args()

    root = pathlib.Path.cwd().resolve()
    database = json.loads((options.build / "compile_commands.json").read_text())
    options.cache.mkdir(parents=True, exist_ok=True)
    version = subprocess.run([TOOL, "--version"], capture_output=True, check=True).stdout
    salt = version + (root / ".clang-tidy").read_bytes() + pathlib.Path(__file__).read_bytes()

    sources = Sources(root)
    work, clean = [], 0
    by_path = {pathlib.Path(entry["file"]).resolve(): entry for entry in database}
    for path, entry in sorted(by_path.items()):
        if not path.is_relative_to(root) or path.is_relative_to(options.build.resolve()):
            continue
        if options.paths and not str(path.relative_to(root)).startswith(tuple(options.paths)):
            continue
        command = entry.get("command") or shlex.join(entry["arguments"])
        key = key_of(sources, path, command, salt)
        if (options.cache / key).exists():
            clean += 1
        else:
            work.append((path, key))
    print(f"clang-tidy: {clean + len(work)} files, {clean} unchanged since they were clean", flush=True)

    failed = []
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = {pool.submit(check, path, options.build): (path, key) for path, key in work}
        for count, future in enumerate(concurrent.futures.as_completed(running), 1):
            path, key = running[future]
            code, output = future.result()
            name = path.relative_to(root)
            print(f"[{count}/{len(work)} {time.monotonic() - started:.0f} s] {name}", flush=True)
            if code == 0:
                (options.cache / key).touch()
            else:
                failed.append(str(name))
                print(output.strip(), flush=True)
    if failed:
        print(f"clang-tidy: {len(failed)} of {len(work)} files have findings: {' '.join(failed)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
