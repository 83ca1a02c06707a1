"""What can be said about the chart without helm; what it renders to is asked in e2e/cases/chart_*.py."""

import json
import os
import re
import subprocess
import sys
import unittest

import yaml
from chart_files import CHART, FILES, ROOT, commented, leaves, text

VALUES = yaml.safe_load(text(CHART / "values.yaml"))
SCHEMA = json.loads(text(CHART / "values.schema.json"))
TEMPLATES = sorted(path for path in (CHART / "templates").rglob("*") if path.is_file())


def schema_of(path):
    """The schema of a value, or None."""
    at = SCHEMA
    for name in path:
        at = at.get("properties", {}).get(name)
        if at is None:
            return None
    return at


def schema_leaves(schema, path=()):
    for name, one in schema.get("properties", {}).items():
        if "properties" in one:
            yield from schema_leaves(one, (*path, name))
        else:
            yield (*path, name)


class Chart(unittest.TestCase):
    def test_every_value_has_a_comment(self):
        explained = commented(text(CHART / "values.yaml"))
        for path, _ in leaves(VALUES):
            self.assertIn(path, explained, "no comment above it in values.yaml")

    def test_every_value_has_a_schema(self):
        types = {str: "string", bool: "boolean", int: "integer", list: "array", dict: "object"}
        for path, value in leaves(VALUES):
            schema = schema_of(path)
            self.assertIsNotNone(schema, f"{path} is not in values.schema.json")
            if "enum" in schema:
                self.assertIn(value, schema["enum"], path)
            else:
                wanted = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
                self.assertIn(types[type(value)], wanted, path)
            if "pattern" in schema:
                self.assertRegex(value, schema["pattern"], path)

    def test_every_schema_has_a_value(self):
        here = dict(leaves(VALUES))
        # The first is helm's own, the others stand in values.yaml without their parts.
        silent = {("global",)}
        for path in schema_leaves(SCHEMA):
            if path in silent or path[0] == "resources":
                continue
            self.assertIn(path, here, "in values.schema.json, but not in values.yaml")

    def test_unknown_values_are_refused(self):
        def closed(schema, path):
            if "properties" in schema:
                self.assertIs(schema.get("additionalProperties"), False, f"{path} takes any name")
                for name, one in schema["properties"].items():
                    closed(one, (*path, name))

        closed(SCHEMA, ())

    def test_templates_read_values_that_exist(self):
        read = set()
        for path in TEMPLATES:
            for names in re.findall(r"\$?\.Values((?:\.\w+)+)", text(path)):
                value = VALUES
                for name in names[1:].split("."):
                    self.assertTrue(isinstance(value, dict) and name in value, f"{path.name}: .Values{names} is no value")
                    value = value[name]
                read.add(tuple(names[1:].split(".")))
        for path, _ in leaves(VALUES):
            self.assertTrue(any(path[:len(one)] == one for one in read), f"no template reads {'.'.join(path)}")

    def test_definitions_are_those_of_crds(self):
        theirs = {path.name: text(path) for path in (ROOT / "crds").glob("*.yaml")}
        self.assertTrue(theirs)
        self.assertEqual({path.name: text(path) for path in (FILES / "crds").glob("*.yaml")}, theirs,
                         "run: cp crds/*.yaml helm/holdfast/files/crds/")

    def test_rules_are_those_of_the_operator(self):
        printed = subprocess.run([os.environ["HOLDFAST_OPERATOR"], "rbac", "--rules"], capture_output=True, text=True, check=False)
        self.assertEqual(printed.returncode, 0, printed.stderr)
        self.assertEqual(text(FILES / "rules.yaml"), printed.stdout,
                         "run: holdfast-operator rbac --rules > helm/holdfast/files/rules.yaml")

    def test_version_is_that_of_the_build(self):
        version = re.search(r"project\(Holdfast VERSION (\S+)", text(ROOT / "CMakeLists.txt"))[1]
        chart = yaml.safe_load(text(CHART / "Chart.yaml"))
        self.assertEqual((chart["version"], chart["appVersion"]), (version, version))

    def test_flags_are_the_operators(self):
        """What the Deployment passes is checked by the program itself, up to the point where it looks for a cluster."""
        flags = set(re.findall(r"--([\w-]+)=", text(CHART / "templates" / "deployment.yaml")))
        shown = subprocess.run([os.environ["HOLDFAST_OPERATOR"], "run", "--help"], capture_output=True, text=True, check=True).stdout
        self.assertLessEqual(flags, set(re.findall(r"^  --([\w-]+)", shown, re.M)))


if __name__ == "__main__":
    sys.exit(unittest.main())
