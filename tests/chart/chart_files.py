"""Where the chart's files are, and its values as (path, value, whether a comment explains it)."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "holdfast"
FILES = CHART / "files"


def text(path):
    return path.read_text(encoding="utf-8")


def leaves(values, path=()):
    """(path, value) of everything that is not a section with names of its own."""
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name), value


def commented(values_text):
    """Paths in values.yaml with a comment in the line above. Knows the shape of this file: block mappings, two spaces."""
    found, trail, before = set(), [], ""
    for line in values_text.splitlines():
        match = re.match(r"( *)([A-Za-z][\w-]*):", line)
        if match:
            depth = len(match[1]) // 2
            trail = [*trail[:depth], match[2]]
            if before.lstrip().startswith("# "):
                found.add(tuple(trail))
        before = line
    return found


def metric_tables():
    """{name: (type, {labels})} of the pages that list what the programs export."""
    found = {}
    for page in ("metrics.md", "operator-metrics.md"):
        path = ROOT / "docs" / page
        for line in text(path).splitlines() if path.exists() else []:
            match = re.match(r"\| `(\w+)` \| (\w+) \| ([^|]*)\|", line)
            if match:
                found[match[1]] = (match[2], set(re.findall(r"`(\w+)`", match[3])))
    return found
