"""The alerts: promtool runs each of them on series that make it fire and on series that do not (alert_cases.yaml); every metric
and every runbook they name is there."""

import copy
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import yaml
from chart_files import FILES, ROOT, metric_tables, text
from promql import COLLECTED, KUBELET, selectors

HERE = pathlib.Path(__file__).resolve().parent
GROUPS = yaml.safe_load(text(FILES / "alerts.yaml"))["groups"]
RULES = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
CASES = yaml.safe_load(text(HERE / "alert_cases.yaml"))


class Alerts(unittest.TestCase):
    def test_promtool_accepts_them(self):
        done = subprocess.run(["promtool", "check", "rules", FILES / "alerts.yaml"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_each_fires_and_keeps_quiet(self):
        self.assertEqual(set(CASES), set(RULES), "alert_cases.yaml does not speak of the same alerts")
        # promtool compares annotations word for word; the summary stands for them.
        groups = copy.deepcopy(GROUPS)
        for rule in (rule for group in groups for rule in group["rules"]):
            rule["annotations"] = {"summary": rule["annotations"]["summary"]}
        with tempfile.TemporaryDirectory() as folder:
            rules, tests = pathlib.Path(folder, "rules.yaml"), pathlib.Path(folder, "tests.yaml")
            rules.write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
            tests.write_text(yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": list(self.promtool_tests())}),
                             encoding="utf-8")
            done = subprocess.run(["promtool", "test", "rules", tests], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def promtool_tests(self):
        for name, cases in CASES.items():
            self.assertTrue(cases["fires"] and cases["quiet"], name)
            for case in [*cases["fires"], *cases["quiet"]]:
                expected = []
                if "labels" in case:
                    labels = case["labels"] | RULES[name]["labels"]
                    expected.append({"exp_labels": labels, "exp_annotations": {"summary": case["summary"]}})
                yield {"name": name, "interval": "1m", "input_series": case["series"],
                       "alert_rule_test": [{"eval_time": case["at"], "alertname": name, "exp_alerts": expected}]}

    def test_metrics_and_labels_exist(self):
        known = metric_tables()
        for name, rule in RULES.items():
            for metric, labels in selectors(rule["expr"]):
                if metric in KUBELET:
                    continue
                base = re.sub(r"_(?:bucket|sum|count)$", "", metric) if metric not in known else metric
                self.assertIn(base, known, f"{name}: no page in docs/ lists {metric}")
                self.assertLessEqual(labels - COLLECTED, known[base][1] | ({"le"} if base != metric else set()), f"{name}: {metric}")

    def test_each_tells_what_to_do(self):
        anchors = {re.sub(r"[^\w -]", "", line[3:]).strip().lower().replace(" ", "-")
                   for line in text(ROOT / "docs" / "runbooks.md").splitlines() if line.startswith("## ")}
        for name, rule in RULES.items():
            notes = rule["annotations"]
            self.assertEqual(set(notes), {"summary", "description", "runbook_url"}, name)
            page, _, anchor = notes["runbook_url"].partition("#")
            self.assertEqual((page, anchor), ("docs/runbooks.md", name.lower()))
            self.assertIn(anchor, anchors, f"{name}: docs/runbooks.md has no such section")
            self.assertIn(rule["labels"]["severity"], ("info", "warning", "critical"), name)
            shown = set(re.findall(r"\$labels\.(\w+)", notes["summary"] + notes["description"]))
            for case in CASES[name]["fires"]:
                self.assertLessEqual(shown, set(case["labels"]), f"{name} shows a label it does not have")

    def test_runbooks_are_of_alerts(self):
        for line in text(ROOT / "docs" / "runbooks.md").splitlines():
            if line.startswith("## Holdfast"):
                self.assertIn(line[3:], RULES, "a section of docs/runbooks.md for an alert that is gone")


if __name__ == "__main__":
    sys.exit(unittest.main())
