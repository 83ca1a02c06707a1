"""Every verdict of the audit, on histories made up for it: an audit that cannot fail proves nothing."""

import unittest

from history import ABSENT, FAILED, OK, UNKNOWN, KeyHistory


def written(*writes):
    history = KeyHistory("k")
    found = []
    for sequence, (state, outcome, version) in enumerate(writes, 1):
        found += history.record(sequence, state, outcome, version)
    return history, found


class HistoryTest(unittest.TestCase):
    def kinds(self, history, state, version=None):
        return [violation.kind for violation in history.observe(state, version)]

    def test_what_was_acknowledged_is_there(self):
        history, found = written(("a", OK, 1), ("b", OK, 2))
        self.assertEqual(found, [])
        self.assertEqual(self.kinds(history, "b", 2), [])

    def test_an_acknowledged_write_that_is_gone_is_lost(self):
        history, _ = written(("a", OK, 1))
        self.assertEqual(self.kinds(history, ABSENT), ["lost"])

    def test_an_acknowledged_overwrite_that_was_undone_is_lost(self):
        history, _ = written(("a", OK, 1), ("b", OK, 2))
        self.assertEqual(self.kinds(history, "a", 1), ["lost"])

    def test_an_acknowledged_delete_that_was_undone_is_lost(self):
        history, _ = written(("a", OK, 1), (ABSENT, OK, None))
        self.assertEqual(self.kinds(history, "a", 1), ["lost"])

    def test_a_write_of_unknown_fate_may_be_there_or_not(self):
        for state, version in (("a", 1), ("b", 2)):
            history, _ = written(("a", OK, 1), ("b", UNKNOWN, None))
            self.assertEqual(self.kinds(history, state, version), [])

    def test_a_fate_once_seen_stays(self):
        history, _ = written(("a", OK, 1), ("b", UNKNOWN, None))
        self.assertEqual(self.kinds(history, "a", 1), [])
        self.assertEqual(self.kinds(history, "b", 2), ["fate-changed"])

    def test_a_refused_write_must_not_be_there(self):
        history, _ = written(("a", OK, 1), ("b", FAILED, None))
        self.assertEqual(self.kinds(history, "b", 2), ["failed-present"])

    def test_what_nobody_wrote_is_foreign(self):
        history, _ = written(("a", OK, 1))
        self.assertEqual(self.kinds(history, "z", 2), ["foreign"])

    def test_versions_rise_also_across_delete(self):
        _, found = written(("a", OK, 5), (ABSENT, OK, None), ("b", OK, 5))
        self.assertEqual([violation.kind for violation in found], ["version"])

    def test_a_version_that_changed_without_a_write(self):
        history, _ = written(("a", OK, 5))
        self.assertEqual(self.kinds(history, "a", 6), ["version"])


if __name__ == "__main__":
    unittest.main()
