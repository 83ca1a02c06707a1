#!/usr/bin/env python3
"""failed_tests.py JUNIT_XML: what the tests that failed in a ctest run said first, a few lines each.

The whole of it stands where ctest printed it; this is for the end of a log, where people look.
"""
import argparse
import sys
import xml.etree.ElementTree as ElementTree

TESTS = 5
LINES = 14
WIDTH = 300


def first_words(output):
    """The lines from the first failed check on; the last ones when there was none, as after a crash or a timeout."""
    lines = [line for line in output.splitlines() if line.strip()]
    for at, line in enumerate(lines):
        if line.endswith(": Failure") or "Sanitizer" in line:
            return lines[at:at + LINES]
    return lines[-LINES:]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("junit", metavar="JUNIT_XML")
    path = parser.parse_args().junit
    try:
        cases = ElementTree.parse(path).getroot().iter("testcase")
    except (OSError, ElementTree.ParseError) as error:
        print(f"no account of single tests: {error}", file=sys.stderr)
        return 1
    failed = [case for case in cases if case.get("status") not in ("run", "notrun", "disabled")]
    for case in failed[:TESTS]:
        print(f"-- {case.get('name')}")
        for line in first_words(case.findtext("system-out") or ""):
            print("   " + line[:WIDTH])
    if len(failed) > TESTS:
        print(f"-- and {len(failed) - TESTS} more")
    return 0


if __name__ == "__main__":
    sys.exit(main())
