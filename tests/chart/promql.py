"""Which metrics a PromQL expression asks for, as far as ours are written."""

import re

# Of the kubelet, in every cluster.
KUBELET = {"kubelet_volume_stats_used_bytes", "kubelet_volume_stats_capacity_bytes"}
# Labels given by whoever collects: Prometheus itself, and the chart's PodMonitor and ServiceMonitor.
COLLECTED = {"namespace", "pod", "cluster", "job", "instance"}

SELECTOR = re.compile(r"\b([a-z][a-z0-9]*(?:_[a-z0-9]+)+)\b(?:\{([^}]*)\})?")
WORDS = {"histogram_quantile", "label_replace", "group_left", "le"}


def selectors(expression):
    """(metric, labels it is selected by) of every selector. Metrics have an underscore; words in quotes are none."""
    plain = re.sub(r"\b(?:by|on|without|ignoring)\s*\([^)]*\)", " ", expression)
    for name, inside in SELECTOR.findall(plain):
        if name not in WORDS:
            yield name, set(re.findall(r"(\w+)\s*(?:=|!)", re.sub(r'"[^"]*"', '""', inside or "")))
