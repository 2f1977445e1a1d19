"""Event files as TensorBoard reads them.

`make test-referees` runs it with TESTS naming orepa_tests, whose test EventFile.OfARunAndOfOneThatGoesOn writes the files.
"""
import os
import pathlib
import subprocess
import tempfile
import unittest

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

WRITER = "EventFile.OfARunAndOfOneThatGoesOn"


class Events(unittest.TestCase):
    def test_a_run_that_went_on(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([pathlib.Path(os.environ["TESTS"]).resolve(), f"--gtest_filter={WRITER}"], check=True,
                           env={**os.environ, "TEST_TMPDIR": f"{folder}/"}, stdout=subprocess.DEVNULL)
            (run,) = pathlib.Path(folder).iterdir()
            events = EventAccumulator(str(run)).Reload()
            self.assertEqual(sorted(events.Tags()["scalars"]), ["test/accuracy", "train/loss"])
            loss = [(point.step, point.value) for point in events.Scalars("train/loss")]
            self.assertEqual([step for step, _ in loss], [1, 2, 3, 4, 5, 6, 7, 8])
            for step, value in loss:
                self.assertAlmostEqual(value, 1 / step if step < 7 else 100 + step, places=6)
            # What was measured at step 10 was done again.
            self.assertEqual([(point.step, point.value) for point in events.Scalars("test/accuracy")], [(5, 0.5)])


if __name__ == "__main__":
    unittest.main()
