"""The end-to-end cases make images out of the Dockerfile without Docker: they must be the ones Docker would make."""

import json
import pathlib
import re
import sys
import tarfile
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "e2e"))

# pylint: disable=wrong-import-position
from testbed import images  # noqa: E402

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
STAGES = images.stages(DOCKERFILE)
# What tells nothing about the files of an image, nor how it is started.
WITHOUT_EFFECT = {"ARG", "LABEL", "EXPOSE"}


class Images(unittest.TestCase):
    def test_final_stages_take_one_root_and_settings_over(self):
        for target in images.names():
            stage = STAGES[target]
            words = {word for word, _ in stage.instructions} - WITHOUT_EFFECT
            self.assertLessEqual(words, {"COPY", "ENV", "USER", "ENTRYPOINT", "CMD"}, target)
            self.assertEqual(stage.base, "scratch", target)
            self.assertEqual(len(stage.texts("COPY")), 1, f"{target}: only one root is taken over")

    def test_stages_below_them_only_run_commands(self):
        for name in ("debian", "roots", "postgres-root", "redis-root"):
            words = {word for word, _ in STAGES[name].instructions}
            self.assertLessEqual(words, {"ARG", "ENV", "RUN"}, name)

    def test_a_stage_knows_what_it_stands_on(self):
        self.assertEqual(images.chain(STAGES, "postgres-root"), ["debian", "postgres-root"])
        self.assertEqual(images.chain(STAGES, "redis-root"), ["debian", "redis-root"])
        self.assertEqual(images.chain(STAGES, "roots"), ["debian", images.COMPILED, "roots"])

    def test_commands_keep_their_continued_lines(self):
        found = images.stages('FROM a AS b\nENV X="1 2" \\\n    Y=3\n# no\nRUN one \\\n  # no\n  && two\nCMD ["x", "y"]\n')
        self.assertEqual(images.assignments(found["b"].texts("ENV")), [("X", "1 2"), ("Y", "3")])
        self.assertEqual(found["b"].texts("RUN")[0].split(), ["one", "&&", "two"])

    def test_names_are_those_of_the_script_and_the_chart(self):
        script = (ROOT / "scripts" / "build_images.sh").read_text(encoding="utf-8")
        rows = dict(re.findall(r"^    (\w+)\) image=\$\{registry\}(\S+) ;;", script, re.M))
        version = images.version()
        for target, name in images.names().items():
            self.assertEqual(rows[target].replace("$version", version), name)
        chart = (ROOT / "helm" / "holdfast" / "Chart.yaml").read_text(encoding="utf-8")
        self.assertEqual(re.search(r'^appVersion: "?([^"\n]+)', chart, re.M)[1], version)

    def test_an_archive_is_one_layer_with_settings(self):
        config = images.settings(STAGES["service"])
        self.assertEqual((config["User"], config["Entrypoint"]), ("10001:10001", ["/usr/bin/holdfast"]))
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder, "root")
            for path in ("etc", "proc"):
                (root / path).mkdir(parents=True)
                (root / path / "file").write_text(path, encoding="ascii")
            made = images.archive(str(root), "name:1", config, str(pathlib.Path(folder, "image.tar")))
            with tarfile.open(made) as tar:
                manifest = json.load(tar.extractfile("manifest.json"))[0]
                about = json.load(tar.extractfile(manifest["Config"]))
                with tarfile.open(fileobj=tar.extractfile(manifest["Layers"][0])) as layer:
                    names = layer.getnames()
            self.assertEqual(manifest["RepoTags"], ["name:1"])
            self.assertEqual(about["config"]["Cmd"], ["serve"])
            self.assertIn("./etc/file", names)
            self.assertNotIn("./proc/file", names)


if __name__ == "__main__":
    unittest.main()
