#!/usr/bin/env python3
"""The pages in Markdown: every link leads somewhere, and every command they show names what there is: targets of make, scripts,
verbs of the programs. What can be run on one machine is run by readme_test.py and operations_test.py."""

import argparse
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("e2e/*.md"), *ROOT.glob("examples/**/*.md")])
OPTIONS = argparse.Namespace()


def text(path):
    return path.read_text(encoding="utf-8")


def anchors(page):
    """As forges make them of headings; a heading that comes twice gets a number."""
    found, seen = set(), {}
    for heading in re.findall(r"^#{1,6} (.+)$", re.sub(r"^```.*?^```", "", text(page), flags=re.S | re.M), re.M):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        anchor = re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
        number = seen.get(anchor, 0)
        seen[anchor] = number + 1
        found.add(f"{anchor}-{number}" if number else anchor)
    return found


def commands(page):
    """Lines behind a prompt, with those that a backslash continues, without the comment at the end."""
    for block in re.findall(r"^ *```console\n(.*?)^ *```", text(page), re.S | re.M):
        for line in re.sub(r"\\\n *", " ", block).splitlines():
            if line.strip().startswith("$ "):
                yield re.split(r"\s{2,}#", line.strip()[2:])[0].strip()


class Docs(unittest.TestCase):
    def test_links_lead_somewhere(self):
        links = 0
        for page in PAGES:
            prose = re.sub(r"`[^`\n]*`", "", re.sub(r"^ *```.*?^ *```", "", text(page), flags=re.S | re.M))
            for target in re.findall(r"\]\(([^)\s]+)\)", prose):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, anchor = target.partition("#")
                file = (page.parent / path).resolve() if path else page
                self.assertTrue(file.exists(), f"{page.relative_to(ROOT)}: {target}")
                if anchor:
                    self.assertIn(anchor, anchors(file), f"{page.relative_to(ROOT)}: {target}")
                links += 1
        self.assertGreater(links, 100)

    def test_commands_name_what_there_is(self):
        verbs = {}
        seen = 0
        for page in PAGES:
            for command in commands(page):
                where = f"{page.relative_to(ROOT)}: {command}"
                # Behind assignments to the environment.
                words = re.sub(r"^(?:\w+=(?:\"[^\"]*\"|\S*)\s+)+", "", command).split()
                program = words[0] if words else ""
                seen += 1
                if program == "make":
                    done = subprocess.run(["make", "--dry-run", words[1]], cwd=ROOT, capture_output=True, text=True, check=False)
                    self.assertEqual(done.returncode, 0, where)
                elif program.startswith(("scripts/", ".ci/")):
                    self.assertTrue((ROOT / program).exists(), where)
                elif program.rsplit("/", 1)[-1] in ("holdfast", "holdfast-operator"):
                    name = program.rsplit("/", 1)[-1]
                    if name not in verbs:
                        done = subprocess.run([getattr(OPTIONS, name.replace("-", "_")), "--help"], capture_output=True, text=True, check=False)
                        verbs[name] = done.stdout + done.stderr
                    self.assertRegex(verbs[name], rf"(?m)^ *(?:{name} )?{re.escape(words[1])}\b", where)
        self.assertGreater(seen, 30)

    def test_it_would_notice(self):
        self.assertIn("a-volume-that-grows-by-itself", anchors(ROOT / "docs" / "operations.md"))
        self.assertNotIn("a-section-that-is-not-there", anchors(ROOT / "docs" / "operations.md"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--holdfast", required=True)
    parser.add_argument("--holdfast-operator", required=True)
    OPTIONS, rest = parser.parse_known_args()
    sys.exit(unittest.main(argv=[sys.argv[0], *rest]))
