"""A change of the spec reaches configuration and pods, and a reader can tell from status when it has."""

from testbed.bed import cluster


def pod_annotations(bed):
    return bed.children()["statefulsets/demo"]["spec"]["template"]["metadata"]["annotations"]


def run(bed):
    bed.operator()
    bed.apply(cluster())
    before = bed.wait_ready()
    annotations = pod_annotations(bed)
    backends = [*cluster()["spec"]["backends"], {"name": "fast", "memory": {"maxBytes": "64Mi"}}]
    bed.apply(cluster(backends=backends, stores=[{"name": "main", "backend": "local"}, {"name": "sessions", "backend": "fast"}]))
    after = bed.wait_ready()
    assert after["metadata"]["generation"] > before["metadata"]["generation"]
    configuration = "".join(one for name, child in bed.children().items() if name.startswith("configmaps/")
                            for one in child["data"].values())
    assert "sessions" in configuration, configuration
    assert pod_annotations(bed) != annotations, "the pods would go on with the old configuration"
