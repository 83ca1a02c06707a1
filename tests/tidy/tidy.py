"""House rules as ordinary tests: `tidy.py --root DIR RULE`, one ctest entry per rule. Prints file:line for each breach.

What each rule asks for stands in its function. tidy_test.py breaks every rule once and sees it found.
"""

import argparse
import fnmatch
import json
import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
HOUSE = ("base", "service", "operator")
SKIPPED_FOLDERS = {".git", "build", ".holdfast", ".cache", "__pycache__"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
MAX_LINES = 450


def walk(root, *suffixes):
    """Paths relative to root, sorted, of files that end in one of the suffixes."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
        for name in files:
            if name.endswith(suffixes):
                found.append(pathlib.PurePosixPath(pathlib.Path(folder, name).relative_to(root)))
    return sorted(found)


def lines(root, path):
    return (root / path).read_text(encoding="utf-8").splitlines()


def house_files(root, *suffixes):
    return [path for path in walk(root, *suffixes) if path.parts[0] in HOUSE]


def table(path):
    """{left: [right, ...]} of a file of `left: right right` lines."""
    rows = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            left, _, right = line.rpartition(":") if line.endswith(":") else line.partition(": ")
            rows[left.strip()] = right.split()
    return rows


def room_of(path):
    return str(path.parent)


def directions(root, tables, build):
    """Includes between rooms follow edges.txt, which itself has no cycle, and so do the links of CMake targets."""
    del build
    edges = table(tables / "edges.txt")
    for path in house_files(root, ".h", ".cc"):
        room = room_of(path)
        if room not in edges:
            yield f"{path}:1: room {room} is not in tests/tidy/edges.txt"
            continue
        for number, line in enumerate(lines(root, path), 1):
            match = INCLUDE.match(line)
            if not match or match[1] != '"':
                continue
            target = room_of(pathlib.PurePosixPath(match[2]))
            if not (root / match[2]).is_file():
                yield f"{path}:{number}: {match[2]} is not a path from the root"
            elif target != room and target not in edges[room]:
                yield f"{path}:{number}: {room} may not include {target} (tests/tidy/edges.txt)"
    yield from cycles(edges)
    yield from links(root, edges)


def cycles(edges):
    done = set()

    def visit(room, trail):
        if room in trail:
            yield f"tests/tidy/edges.txt:1: cycle {' -> '.join([*trail[trail.index(room):], room])}"
        elif room not in done:
            for target in edges.get(room, []):
                yield from visit(target, [*trail, room])
            done.add(room)

    for room in edges:
        yield from visit(room, [])


ROOM_CALL = re.compile(r"holdfast_(?:room|program)\(\s*([\w-]+)([^)]*)\)")


def links(root, edges):
    calls = []
    for path in walk(root, "CMakeLists.txt"):
        if path.parts[0] in HOUSE:
            text = re.sub(r"#.*", "", (root / path).read_text(encoding="utf-8"))
            calls += [(path, match[1], match[2].split()) for match in ROOM_CALL.finditer(text)]
    rooms = {name: room_of(path) for path, name, _ in calls}
    for path, name, words in calls:
        for word in words:
            target = rooms.get(word)
            if target and target != rooms[name] and target not in edges.get(rooms[name], []):
                yield f"{path}:1: {name} may not link {word} (tests/tidy/edges.txt)"


def libraries(root, tables, build):
    """A library's headers are included in its own room only (libraries.txt), by the product and by its tests alike."""
    del build
    allowed = table(tables / "libraries.txt")
    for path in house_files(root, ".h", ".cc"):
        for number, line in enumerate(lines(root, path), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            for prefix, patterns in allowed.items():
                inside = any(fnmatch.fnmatch(str(path), pattern) for pattern in patterns)
                if match[2].startswith(prefix) and not inside:
                    yield f"{path}:{number}: {match[2]} belongs to {' '.join(patterns)} (tests/tidy/libraries.txt)"


EXCEPTION = re.compile(r"#\s*pragma\s+(?:GCC|clang)\s+diagnostic\s+ignored|NOLINTBEGIN|clang-format off")
BARE_NOLINT = re.compile(r"NOLINT(?:NEXTLINE|BEGIN)?(?!\w|\()")


def exceptions(root, tables, build):
    """An exception for a whole block gives its reason in a comment beside or above it; NOLINT names its check."""
    del tables, build
    for path in walk(root, ".h", ".cc"):
        text = lines(root, path)
        for number, line in enumerate(text, 1):
            if BARE_NOLINT.search(line) and "NOLINTEND" not in line:
                yield f"{path}:{number}: NOLINT without the name of a check"
            match = EXCEPTION.search(line)
            if match:
                beside = re.sub(r"^[(\w,.\-)\s:]*?\)?\s*[:,]?\s*(?://)?", "", line[match.end():])
                above = text[number - 2].strip() if number > 1 else ""
                if len(beside.split()) < 3 and not re.match(r"//\s*(?!NOLINT)\w+ \w+ \w+", above):
                    yield f"{path}:{number}: a file-wide exception without a reason"


def length(root, tables, build):
    """No file above 450 lines, except those of long_files.txt, whose numbers only go down."""
    del build
    listed = {name: int(limit[0]) for name, limit in table(tables / "long_files.txt").items()}
    for path in walk(root, ".h", ".cc", ".py", ".sh"):
        count = len(lines(root, path))
        limit = listed.pop(str(path), None)
        if limit is None and count > MAX_LINES:
            yield f"{path}:{count}: {count} lines; look for the second thing in it (limit {MAX_LINES})"
        elif limit is not None and count > limit:
            yield f"{path}:{count}: {count} lines, its exception says {limit}"
        elif limit is not None and (count <= MAX_LINES or count < limit - 20):
            yield f"{path}:{count}: has shrunk to {count} lines; lower or remove its line in tests/tidy/long_files.txt"
    for name in listed:
        yield f"tests/tidy/long_files.txt:1: {name} is gone; remove its line"


# Spelled in pieces, so that this file does not find itself.
UNFINISHED = re.compile(r"\b(?:" + "|".join(("TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK")) + r")\b")
SWITCHED_OFF = re.compile("GTEST_" "SKIP|DIS" "ABLED_|unittest\\.ski" "p")


def unfinished(root, tables, build):
    """Nothing is left for later: no such marks in the code, no test that is skipped or switched off."""
    del tables, build
    for path in walk(root, ".h", ".cc", ".py", ".sh", ".cmake", "CMakeLists.txt", "Makefile", ".yaml"):
        for number, line in enumerate(lines(root, path), 1):
            if UNFINISHED.search(line):
                yield f"{path}:{number}: finish it, or state a limitation where users see it"
            if SWITCHED_OFF.search(line):
                yield f"{path}:{number}: a test that does not run"


def contracts(root, tables, build):
    """Every header begins with a comment that states its contract, and then says #pragma once."""
    del tables, build
    for path in house_files(root, ".h"):
        comment, rest = [], []
        for line in lines(root, path):
            (comment if line.startswith("//") and not rest else rest).append(line)
        if len(" ".join(comment).replace("//", "").strip()) < 25:
            yield f"{path}:1: a header begins with its contract: what it is for, units, thread safety, errors"
        if "#pragma once" not in rest[:2]:
            yield f"{path}:{len(comment) + 1}: #pragma once belongs right behind the contract"


def built(root, tables, build):
    """Every .cc file is compiled by some target."""
    del tables
    database = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    compiled = {pathlib.Path(entry["file"]).resolve() for entry in database}
    for path in walk(root, ".cc"):
        if (root / path).resolve() not in compiled:
            yield f"{path}:1: belongs to no CMake target"


RULES = {rule.__name__: rule for rule in (directions, libraries, exceptions, length, unfinished, contracts, built)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, help="folder of compile_commands.json, for `built`")
    parser.add_argument("rule", choices=RULES)
    options = parser.parse_args()
    rule = RULES[options.rule]
    breaches = list(rule(options.root.resolve(), HERE, options.build))
    for breach in breaches:
        print(breach)
    if breaches:
        print(f"{options.rule}: {len(breaches)} breaches of: {' '.join(rule.__doc__.split())}", file=sys.stderr)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
