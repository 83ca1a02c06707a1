"""Breaks every house rule once in a small made-up tree and sees it found; a tree that keeps them is left in peace."""

import json
import pathlib
import tempfile
import unittest

import tidy

CONTRACT = "// What this is for, in which units, and what it does when it fails.\n#pragma once\n"
GOOD = {
    "base/result/result.h": CONTRACT,
    "base/http/client.h": CONTRACT + '#include "base/result/result.h"\n',
    "base/http/client.cc": '#include "base/http/client.h"\n\n#include <cpprest/http_client.h>\n',
    "base/http/CMakeLists.txt": "holdfast_room(base_http SOURCES client.cc LINKS base_result)\n",
    "base/result/CMakeLists.txt": "holdfast_room(base_result SOURCES result.cc)\n",
}
TABLES = {
    "edges.txt": "base/result:\nbase/http: base/result\n",
    "libraries.txt": "cpprest/: base/http/*\n",
    "long_files.txt": "",
}


class TidyTest(unittest.TestCase):
    def breaches(self, rule, files=None, tables=None, compiled=None):
        with tempfile.TemporaryDirectory() as folder:
            root, settings, build = (pathlib.Path(folder, name) for name in ("root", "tables", "build"))
            for base, contents in ((root, GOOD | (files or {})), (settings, TABLES | (tables or {}))):
                for name, text in contents.items():
                    path = base / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(text, encoding="utf-8")
            build.mkdir()
            if compiled is None:
                compiled = [name for name in GOOD if name.endswith(".cc")]
            entries = [{"file": str(root / name)} for name in compiled]
            (build / "compile_commands.json").write_text(json.dumps(entries), encoding="utf-8")
            return list(tidy.RULES[rule](root, settings, build))

    def assert_one(self, found, where, what):
        self.assertEqual(len(found), 1, found)
        self.assertIn(where, found[0])
        self.assertIn(what, found[0])

    def test_a_tidy_tree_is_left_in_peace(self):
        for rule in tidy.RULES:
            self.assertEqual(self.breaches(rule), [], rule)

    def test_an_include_against_the_direction(self):
        found = self.breaches("directions", {"base/result/result.cc": '#include "base/http/client.h"\n'})
        self.assert_one(found, "base/result/result.cc:1", "may not include base/http")

    def test_an_include_that_is_no_path_from_the_root(self):
        found = self.breaches("directions", {"base/http/pool.cc": '\n#include "client.h"\n'})
        self.assert_one(found, "base/http/pool.cc:2", "not a path from the root")

    def test_an_unknown_room(self):
        self.assert_one(self.breaches("directions", {"base/misc/x.h": CONTRACT}), "base/misc/x.h", "not in")

    def test_a_cycle_in_the_table(self):
        found = self.breaches("directions", tables={"edges.txt": "base/result: base/http\nbase/http: base/result\n"})
        self.assertTrue(any("cycle" in breach for breach in found), found)

    def test_a_link_against_the_direction(self):
        text = "holdfast_room(base_result SOURCES result.cc\n              LINKS base_http)\n"
        found = self.breaches("directions", {"base/result/CMakeLists.txt": text})
        self.assert_one(found, "base/result/CMakeLists.txt", "may not link base_http")

    def test_a_library_outside_its_room(self):
        found = self.breaches("libraries", {"base/result/result.cc": "#include <cpprest/json.h>\n"})
        self.assert_one(found, "base/result/result.cc:1", "cpprest/json.h belongs to")

    def test_exceptions_without_a_reason(self):
        for text in ('#pragma GCC diagnostic ignored "-Wshadow"\n', "// NOLINTBEGIN(bugprone-x)\n", "int x;  // NOLINT\n",
                     "// clang-format off\n"):
            self.assert_one(self.breaches("exceptions", {"base/http/pool.cc": text}), "base/http/pool.cc:1", "without")

    def test_exceptions_with_a_reason(self):
        for text in ('// The header of lib shadows its members.\n#pragma GCC diagnostic ignored "-Wshadow"\n',
                     "// NOLINTBEGIN(bugprone-x): the macro expands to this\n", "int x;  // NOLINT(bugprone-x)\n",
                     "// A table reads better aligned.\n// clang-format off\n"):
            self.assertEqual(self.breaches("exceptions", {"base/http/pool.cc": text}), [], text)

    def test_long_files(self):
        long = {"base/http/pool.cc": "\n" * 451}
        self.assert_one(self.breaches("length", long), "base/http/pool.cc:451", "second thing")
        self.assertEqual(self.breaches("length", long, {"long_files.txt": "base/http/pool.cc: 460\n"}), [])
        found = self.breaches("length", {"base/http/pool.cc": "\n" * 461}, {"long_files.txt": "base/http/pool.cc: 460\n"})
        self.assert_one(found, "pool.cc:461", "exception says 460")

    def test_the_list_of_long_files_shrinks(self):
        listed = {"long_files.txt": "base/http/pool.cc: 600\n"}
        self.assert_one(self.breaches("length", {"base/http/pool.cc": "\n" * 500}, listed), "pool.cc", "shrunk")
        self.assert_one(self.breaches("length", {}, listed), "long_files.txt", "is gone")

    def test_unfinished_work_and_tests_switched_off(self):
        for text in ("// TO" "DO: later\n", "// FIX" "ME\n", "  GTEST_" "SKIP();\n", "TEST(A, DIS" "ABLED_B) {}\n"):
            self.assert_one(self.breaches("unfinished", {"base/http/pool.cc": text}), "base/http/pool.cc:1", "")

    def test_a_header_without_a_contract(self):
        found = self.breaches("contracts", {"base/http/pool.h": "// Pool.\n#pragma once\n"})
        self.assert_one(found, "base/http/pool.h:1", "contract")
        found = self.breaches("contracts", {"base/http/pool.h": CONTRACT.replace("#pragma", "#include <map>\n\n#pragma")})
        self.assert_one(found, "base/http/pool.h", "#pragma once")

    def test_a_source_in_no_target(self):
        self.assert_one(self.breaches("built", {"base/http/pool.cc": "\n"}), "base/http/pool.cc", "no CMake target")


if __name__ == "__main__":
    unittest.main()
