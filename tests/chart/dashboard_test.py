"""The Grafana dashboard: every metric and label it asks for is one that the programs export, every variable is declared, and its
panels do not lie over each other. promtool parses every expression."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import yaml
from chart_files import FILES, metric_tables, text
from promql import COLLECTED, KUBELET, selectors

DASHBOARD = json.loads(text(FILES / "dashboard.json"))
PANELS = DASHBOARD["panels"]
VARIABLES = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
GRAFANAS = {"__rate_interval"}
# Alerts of stores that stand on more than one backend, of what is in front of backends, and of backups that the operator has made.
COMPOSED = re.compile("Holdfast(CacheHitRateLow|CircuitOpen|StoreMigration|StorageMigrationWaits|Store|FailoverConflicts|WriteQueue)"
                      "|HoldfastPostgres(?:Backup|Archive)|HoldfastBackupUnhealthy|HoldfastScheduledBackup")


def expressions():
    for panel in PANELS:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


class Dashboard(unittest.TestCase):
    def test_metrics_and_labels_exist(self):
        known, used = metric_tables(), 0
        queries = [(name, re.sub(r"^label_values\((.*), \w+\)$", r"\1", one["query"]["query"]))
                   for name, one in VARIABLES.items() if one["type"] == "query"]
        for title, expression in [*expressions(), *queries]:
            for metric, labels in selectors(expression):
                if metric in KUBELET:
                    continue
                base = metric if metric in known else re.sub(r"_(?:bucket|sum|count)$", "", metric)
                self.assertIn(base, known, f"{title}: no page in docs/ lists {metric}")
                self.assertLessEqual(labels - COLLECTED, known[base][1], f"{title}: {metric}")
                used += 1
        self.assertGreater(used, 20)

    def test_what_is_told_of_composed_stores_and_backups_is_shown(self):
        shown = {metric for _, expression in expressions() for metric, _ in selectors(expression)}
        rules = yaml.safe_load(text(FILES / "alerts.yaml"))["groups"]
        composed = {rule["alert"]: {metric for metric, _ in selectors(rule["expr"])}
                    for group in rules for rule in group["rules"] if COMPOSED.match(rule["alert"])}
        self.assertGreaterEqual(len(composed), 13)
        for alert, metrics in composed.items():
            self.assertLessEqual(metrics - shown, set(), alert)

    def test_promtool_parses_every_expression(self):
        rules = []
        for number, (_, expression) in enumerate(expressions()):
            rules.append({"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")})
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "rules.yaml")
            path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
            done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_variables_are_declared_and_used(self):
        whole = json.dumps(DASHBOARD)
        used = set(re.findall(r"\$\{?(\w+)", whole)) - GRAFANAS - {"__all"}
        self.assertEqual(used, set(VARIABLES))

    def test_panels_have_places_of_their_own(self):
        self.assertEqual(len({panel["id"] for panel in PANELS}), len(PANELS))
        taken = {}
        for panel in PANELS:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    self.assertNotIn((x, y), taken, f"{panel['title']} lies over {taken.get((x, y))}")
                    taken[x, y] = panel["title"]


if __name__ == "__main__":
    sys.exit(unittest.main())
