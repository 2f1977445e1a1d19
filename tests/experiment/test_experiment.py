"""The programs of `tools/experiment`, on made-up images and results."""
import dataclasses
import gzip
import json
import os
import random
import sys
import tempfile
import threading
import unittest

import numpy

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../tools/experiment"))
import data_sets
import kernels
import plan
import steps
import styles
import trial


def write_idx(path, array):
    with gzip.open(path, "wb") as file:
        file.write(bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes())


def read_idx(path):
    with gzip.open(path) as file:
        data = file.read()
    axes = data[3]
    shape = [int.from_bytes(data[4 + 4 * axis:8 + 4 * axis], "big") for axis in range(axes)]
    return numpy.frombuffer(data[4 + 4 * axes:], numpy.uint8).reshape(shape)


def results_of(trials, accuracy):
    return {t: dataclasses.asdict(t) | {"accuracy": accuracy(t)} for t in trials}


class PlanTest(unittest.TestCase):
    def all_done(self, accuracy):
        """Results of all trials, done one by one in the order of the plan."""
        results = {}
        while (following := next((t for t in plan.trials(results) if t not in results), None)):
            results |= results_of([following], accuracy)
        return results

    def test_a_best_rate_at_the_edge_asks_for_the_next_one(self):
        for best, tried in ((0.3, (0.1, 0.3, 1)), (1, (0.1, 0.3, 1, 3)), (3, (0.1, 0.3, 1, 3, 10)), (0.03, (0.01, 0.03, 0.1, 0.3, 1))):
            results = self.all_done(lambda t: -abs(plan.RATES.index(t.rate) - plan.RATES.index(best)))
            self.assertEqual(plan.grid(results, "glyphs", "plain"), tried)
            self.assertEqual(plan.chosen(results, "glyphs", "plain"), best)

    def test_no_rate_is_chosen_before_all_are_tried(self):
        trials = [t for rate in plan.grid({}, "glyphs", "plain") for t in plan.choice("glyphs", "plain", rate)]
        self.assertIsNone(plan.chosen(results_of(trials[:-1], lambda t: 0.5), "glyphs", "plain"))
        self.assertEqual(plan.report(results_of(trials[:-1], lambda t: 0.5), "glyphs", "plain", plan.SHORT), [])

    def test_every_style_is_trained_at_the_best_of_its_own_rates(self):
        best = {"plain": 0.1, "dbb": 0.3, "orepa": 1}
        results = self.all_done(lambda t: -abs(plan.RATES.index(t.rate) - plan.RATES.index(best[styles.blocks_of(t.style) or "plain"])))
        reported = [t for t in results if t.purpose == "report"]
        for t in reported:
            self.assertEqual(t.rate, best[styles.blocks_of(t.style) or "plain"])
        counts = len(plan.SEEDS) * len(plan.DATA_SETS) * len(styles.STYLES) * 2
        variants = len(plan.SEEDS) + len(plan.ABLATION_SEEDS) * (1 + len(styles.ABLATIONS))
        self.assertEqual(len(reported), counts + variants)


class TrialTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        images = f"{self.folder}/made_up-images-idx3-ubyte.gz"
        noise = numpy.random.default_rng(1)
        write_idx(images, noise.integers(0, 256, (256, 28, 28), numpy.uint8))
        write_idx(data_sets.labels_of(images), noise.integers(0, 10, 256, numpy.uint8))
        self.data = data_sets.DataSet("made_up", 10, 127.5, 73.6, True, (images, images), (images, images))
        self.programs = trial.Programs(os.environ["TOOL"])

    def run_trial(self, style, epochs=2):
        of = trial.Trial("made_up", "report", style, epochs, 0.1, 1)
        return trial.run(self.programs, of, self.data, f"{self.folder}/{of.name()}")

    def test_every_style_and_part_trains_and_merges_into_the_plain_network(self):
        merged = set()
        for style in [*styles.STYLES, styles.FIXED, styles.SMALL_1X1, "orepa_kxk_alone"]:
            result = self.run_trial(style)
            self.assertGreater(result["seconds"], 0)
            self.assertAlmostEqual(result["accuracy"], result["merged_accuracy"], delta=0.005)
            merged.add(result["merged_parameters"])
        self.assertEqual(len(merged), 1)

    def test_scales_without_scaling_stay_as_they_start(self):
        of = trial.Trial("made_up", "report", styles.FIXED, 1, 0.1, 1)
        os.makedirs(f"{self.folder}/run")
        solver = trial.write_solver(of, trial.write_net(self.programs, of, self.data, self.folder), self.folder)
        self.programs.call("train", "--solver", solver, "--run", f"{self.folder}/run", "--set", "snapshot_format=HDF5")
        blobs = kernels.blobs(f"{self.folder}/run/weights_latest.caffemodel.h5")["stage1.conv1"]
        scales = [blob for blob in blobs if blob.ndim == 1]
        self.assertEqual([set(scale) for scale in scales], [{float(start)} for start in styles.BRANCHES.values()])

    def test_kernels_of_branches_are_those_of_the_program(self):
        of = trial.Trial("made_up", "report", "orepa", 3, 1, 1)
        solver = trial.write_solver(of, trial.write_net(self.programs, of, self.data, self.folder), self.folder)
        self.programs.call("train", "--solver", solver, "--run", f"{self.folder}/run", "--set", "snapshot_format=HDF5")
        with open(f"{self.folder}/run/branches.jsonl") as file:
            layers = json.loads(file.readlines()[-1])["layers"]
        read = kernels.read(f"{self.folder}/run/weights_latest.caffemodel.h5")
        self.assertEqual(set(layers), set(read))
        for name, branches in layers.items():
            for branch, size in branches.items():
                scale, kernel = read[name][branch]
                self.assertAlmostEqual(numpy.linalg.norm(scale * kernel), size["norm"], delta=1e-4 * (1 + size["norm"]))
            self.assertGreater(branches["prior"]["norm"], 0)

    def test_shares_of_w_and_of_its_steps_add_up(self):
        points = dict(steps.train(self.programs, self.data, "orepa", 0.1, f"{self.folder}/run"))
        self.assertEqual(tuple(points), steps.POINTS)
        for snapshots in points.values():
            measured = steps.measure(snapshots)
            for whole in "W", "a step":
                self.assertAlmostEqual(sum(measured[f"{branch} of {whole}"] for branch in styles.BRANCHES), 1, places=6)
            self.assertGreater(measured["degrees a step"], 0)
            self.assertGreater(measured["scaling vectors of a step"], 0)

    def test_a_trial_that_was_stopped_goes_on_to_the_same_result(self):
        whole = self.run_trial("plain", 20)
        stopped = trial.Programs(os.environ["TOOL"])
        of = trial.Trial("made_up", "report", "plain", 20, 0.1, 1)
        threading.Timer(0.5, stopped.stop).start()
        with self.assertRaises(InterruptedError):
            trial.run(stopped, of, self.data, f"{self.folder}/again")
        again = trial.run(self.programs, of, self.data, f"{self.folder}/again")
        self.assertEqual({key: value for key, value in again.items() if key != "seconds"},
                         {key: value for key, value in whole.items() if key != "seconds"})
        self.assertIsNone(again["seconds"])


class SliceTest(unittest.TestCase):
    def test_slices_are_the_whole_set_in_order(self):
        with tempfile.TemporaryDirectory() as folder:
            labels = numpy.array(random.Random(1).choices(range(10), k=data_sets.HELD_OUT + 7), numpy.uint8)
            write_idx(f"{folder}/whole.gz", labels)
            data_sets.write_slices(f"{folder}/whole.gz", f"{folder}/first.gz", f"{folder}/last.gz")
            first, last = read_idx(f"{folder}/first.gz"), read_idx(f"{folder}/last.gz")
            self.assertEqual(first.tolist(), labels[:7].tolist())
            self.assertEqual(last.tolist(), labels[7:].tolist())


if __name__ == "__main__":
    unittest.main()
