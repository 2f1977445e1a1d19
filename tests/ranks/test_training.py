"""Trainings by several processes end as those by one.

    TOOL=build/orepa_tool [DEVICE=cuda] python3 tests/ranks/test_training.py

DEVICE: cuda, where each rank takes a GPU, real or emulated; else CPUs. Needs Debian's python3-numpy and python3-h5py.
"""
import gzip
import json
import os
import pathlib
import re
import shlex
import shutil
import struct
import subprocess
import tempfile
import unittest

import h5py
import numpy

from mpi import ENVIRONMENT, mpirun

TOOL = os.path.abspath(os.environ.get("TOOL", "build/orepa_tool"))
MODELS = pathlib.Path(__file__).resolve().parents[2] / "models"
ON_GPUS = os.environ.get("DEVICE") == "cuda"
STEPS = 20

DATA = """
layer { name: "data" type: "Data" top: "data" top: "label"
  data_param { backend: IDX source: "images" label_source: "labels" batch_size: 11 shuffle: true threads: 2 }
  transform_param { transform { random_crop { size: 8 pad: 1 } } transform { flip {} }
    transform { normalize { mean: 110 deviation: 60 } } } }
layer { name: "conv" type: "ORepaConv" bottom: "data" top: "conv"
  convolution_param { num_output: 6 kernel_size: 3 pad: 1 bias_term: false } orepa_param { preset: OREPA } }
"""
BATCH_NORM = """
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" batch_norm_param { moving_average_fraction: 0.8 } }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
"""
REST = """
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "conv2" type: "Convolution" bottom: "conv" top: "conv2"
  convolution_param { num_output: 5 kernel_size: 3 stride: 2 weight_filler { type: "msra" } } }
layer { name: "drop" type: "Dropout" bottom: "conv2" top: "conv2" dropout_param { dropout_ratio: 0.3 } }
layer { name: "ip" type: "InnerProduct" bottom: "conv2" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include { phase: TEST } }
"""
ROWS = """
layer { name: "rows" type: "HDF5Data" top: "x" top: "label" hdf5_data_param { source: "rows.txt" batch_size: 4 }
  include { phase: TRAIN } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
ROWS_TESTED = """
layer { name: "tested" type: "HDF5Data" top: "x" top: "label" hdf5_data_param { source: "tested.txt" batch_size: 2 }
  include { phase: TEST } }
"""
SOLVER = f'net: "net.prototxt" base_lr: 0.02 momentum: 0.9 weight_decay: 0.001 lr_policy: "cosine" max_iter: {STEPS} ' \
         'snapshot_format: HDF5 snapshot: 10 test_interval: 10 display: 1 random_seed: 5 ' + ("solver_mode: GPU " if ON_GPUS else "")
A_SNAPSHOT = "ls run/*_iter_*.solverstate.h5 >/dev/null 2>&1"


def idx(path, array):
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    with gzip.open(path, "wb") as file:
        file.write(header + array.astype(numpy.uint8).tobytes())


class RanksTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        random = numpy.random.default_rng(1)
        idx(self.folder / "images", random.integers(0, 256, (50, 8, 8)))
        idx(self.folder / "labels", random.integers(0, 3, 50))

    def write(self, net, solver=""):
        (self.folder / "net.prototxt").write_text(net)
        (self.folder / "solver.prototxt").write_text(SOLVER + solver)

    def train(self, ranks, run, *flags, **options):
        """A finished training, or the exit code and what was said where `fails`."""
        command = [TOOL, "train", "--solver", "solver.prototxt", "--run", run, *flags]
        if ranks == 1:
            done = subprocess.run(command, cwd=self.folder, env=ENVIRONMENT, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)
            code, said = done.returncode, done.stdout
        else:
            code, said, _ = mpirun(ranks, command, self.folder, **options)
        return code, said

    def trained(self, ranks, run, *flags):
        code, said = self.train(ranks, run, *flags)
        self.assertEqual(code, 0, said)
        return said

    def weights(self, run, iteration=STEPS):
        values = {}

        def keep(name, item):
            if isinstance(item, h5py.Dataset):
                values[name] = item[()]

        with h5py.File(self.folder / run / f"solver_iter_{iteration}.caffemodel.h5") as file:
            file.visititems(keep)
        self.assertGreater(len(values), 5)
        return values

    def lines(self, run, name):
        return [json.loads(line) for line in (self.folder / run / name).read_text().splitlines()]

    def largest_difference(self, one, other):
        a, b = self.weights(one), self.weights(other)
        self.assertEqual(a.keys(), b.keys())
        return max(numpy.abs(a[name] - b[name]).max() / (numpy.abs(a[name]).max() + 1e-6) for name in a)

    def test_without_batch_norm_they_differ_by_rounding_alone(self):
        # Sums of gradients in another order: some units in the last place of float32 (6e-8) a step.
        for solver in ("", 'iter_size: 2 type: "Nesterov" clip_gradients: 1 '):
            self.write(DATA + REST, solver)
            self.trained(1, "one")
            for ranks in (2, 3):
                self.trained(ranks, f"of{ranks}")
                self.assertLess(self.largest_difference("one", f"of{ranks}"), 2e-5, f"{ranks} ranks, {solver}")
                for key in ("loss", "rate", "images", "epoch"):
                    numpy.testing.assert_allclose([line[key] for line in self.lines(f"of{ranks}", "train.jsonl")],
                                                  [line[key] for line in self.lines("one", "train.jsonl")], rtol=1e-5)
            shutil.rmtree(self.folder / "one")
            for ranks in (2, 3):
                shutil.rmtree(self.folder / f"of{ranks}")

    def test_statistics_of_the_whole_batch_make_them_equal(self):
        with_relu = BATCH_NORM + REST  # one normalisation with Scale and ReLU, and one alone
        alone = BATCH_NORM.split("\nlayer { name: \"scale\"")[0] + REST.replace('"relu" type: "ReLU"', '"sig" type: "Sigmoid"')
        for rest in (with_relu, alone):
            self.write(DATA + rest, "sync_statistics: true ")
            for ranks in (1, 2, 3):
                self.trained(ranks, f"of{ranks}", "--overwrite")
            for ranks in (2, 3):
                self.assertLess(self.largest_difference("of1", f"of{ranks}"), 1e-5, f"{ranks} ranks: {rest}")

    def test_labels_that_count_are_those_of_all(self):
        self.write(DATA + REST.replace('top: "loss"', 'top: "loss" loss_param { ignore_label: 2 }'))
        self.trained(1, "one")
        self.trained(3, "of3")
        self.assertLess(self.largest_difference("one", "of3"), 2e-5)

    def test_pairs_of_images_are_mixed_as_by_one_process(self):
        mixup = 'layer { name: "mixup" type: "Mixup" bottom: "data" bottom: "label" top: "mixed" top: "target" ' \
                'mixup_param { classes: 3 mixup_alpha: 0.4 cutmix_alpha: 1 } }\nlayer { name: "conv"'
        data = DATA.replace("batch_size: 11", "batch_size: 12").replace('layer { name: "conv"', mixup)
        net = data.replace('bottom: "data" top: "conv"', 'bottom: "mixed" top: "conv"') + \
            REST.replace('bottom: "label" top: "loss"', 'bottom: "target" top: "loss"')
        self.write(net)
        for ranks in (1, 2, 3):
            self.trained(ranks, f"of{ranks}")
        for ranks in (2, 3):
            self.assertLess(self.largest_difference("of1", f"of{ranks}"), 2e-5, f"{ranks} ranks")
        self.write(net.replace("batch_size: 12", "batch_size: 11"))
        self.expect_failure("take a batch_size that is a multiple of 4", TOOL, "train", "--solver", "solver.prototxt", "--run",
                            "run")

    def test_sums_in_bfloat16_are_rounded_and_alike_on_all(self):
        self.write(DATA + REST, "sum_precision: BF16 ")
        for ranks in (1, 2, 2):
            self.trained(ranks, f"of{ranks}", "--overwrite")
        # 8 bits of each gradient are 0.4 %, once or twice a step: the way of 20 steps differs by little more.
        difference = self.largest_difference("of1", "of2")
        self.assertGreater(difference, 1e-5)
        self.assertLess(difference, 0.05)

    def test_again_they_have_the_same_bits(self):
        self.write(DATA + BATCH_NORM + REST)
        for run in ("a", "b"):
            self.trained(3, run)
        self.assertEqual(self.largest_difference("a", "b"), 0)

    def test_a_test_is_that_of_one_process(self):
        self.write(DATA + BATCH_NORM + REST)
        self.trained(1, "trained")
        # Others than it has learned, for many mistakes, and each image ten times, for many that are equally sure.
        random = numpy.random.default_rng(3)
        idx(self.folder / "images", numpy.tile(random.integers(0, 256, (5, 8, 8)), (10, 1, 1)))
        idx(self.folder / "labels", random.integers(0, 3, 50))
        # All that is tested is the same, so all that comes out is: 50 images are 4 batches of 11 and a rest of 6.
        several = (2, 3) if ON_GPUS else (2, 3, 6)  # the last one of 6 has no batch
        for ranks in (1, *several):
            self.trained(ranks, f"of{ranks}", "--set", "max_iter=0", "--set", "test_initialization=true", "--weights",
                         f"trained/solver_iter_{STEPS}.caffemodel.h5")
        (of_one,) = self.lines("of1", "test.jsonl")
        self.assertEqual(of_one["samples"], 50)
        seen = (self.folder / "of1" / "last_test.json").read_bytes()
        worst = [mistake["probability"] for mistake in json.loads(seen)["worst"]]
        self.assertEqual(len(worst), 24)  # as many as are kept
        self.assertLess(len(set(worst)), 24)
        for ranks in several:
            (test,) = self.lines(f"of{ranks}", "test.jsonl")
            self.assertEqual(test["outputs"], of_one["outputs"])
            self.assertEqual(test["samples"], 50)
            self.assertEqual((self.folder / f"of{ranks}" / "last_test.json").read_bytes(), seen, f"{ranks} ranks")

    def test_another_number_of_ranks_goes_on(self):
        self.write(DATA + BATCH_NORM + REST, "ema_decay: 0.9 ")
        self.trained(2, "run", "--set", "max_iter=10")
        for ranks, before, last in ((3, 10, 20), (1, 20, 30)):
            said = self.trained(ranks, "run", "--snapshot", "auto", "--set", f"max_iter={last}")
            self.assertEqual(said.count(f"resumed from run/solver_iter_{before}.solverstate.h5"), 1, said)
            self.assertIn("but not with the same bits", said)
        self.assertTrue((self.folder / "run/solver_iter_30.caffemodel.h5").exists())

    def test_a_run_that_goes_on_has_the_same_bits(self):
        self.write(DATA + BATCH_NORM + REST, "ema_decay: 0.9 ")
        self.trained(2, "whole")
        shutil.copytree(self.folder / "whole", self.folder / "part")
        for path in self.folder.glob("part/*_iter_20*"):
            path.unlink()
        said = self.trained(2, "part", "--snapshot", "auto")
        self.assertIn("at iteration 10", said)
        self.assertEqual(self.largest_difference("whole", "part"), 0)

    def test_only_the_first_writes(self):
        self.write(DATA + REST)
        said = self.trained(3, "run")
        self.assertEqual(said.count("iteration 20 of 20"), 1, said)
        self.assertEqual(len(self.lines("run", "train.jsonl")), STEPS)
        self.assertEqual([line["iteration"] for line in self.lines("run", "test.jsonl")], [0, 10, 20])
        last_test = json.loads((self.folder / "run" / "last_test.json").read_text())
        self.assertEqual((last_test["iteration"], numpy.sum(last_test["confusion"])), (20, 50))
        self.assertIn("processes   3, 3 on this machine, with 1 thread each", said)
        self.assertIn("batch       11 of 50 images", said)

    def test_each_takes_its_part_of_the_processors(self):
        self.write(DATA + REST)
        command = ["env", "-u", "OMP_NUM_THREADS", TOOL, "train", "--solver", "solver.prototxt", "--overwrite"]
        code, said, _ = mpirun(2, command, self.folder, ["--bind-to", "none"])
        self.assertEqual(code, 0, said)
        usable = len(os.sched_getaffinity(0))
        threads = usable if usable < os.cpu_count() else max(1, usable // 2)
        self.assertIn(f"processes   2, 2 on this machine, with {threads} thread{'s' if threads > 1 else ''} each", said)

    def bytes_summed(self, net):
        """What each of two ranks gives to sums in a step."""
        (self.folder / "net.prototxt").write_text(net)
        code, said, _ = mpirun(2, [TOOL, "time", "--model", "net.prototxt", "--iterations", 1, "--json",
                                   *(["--gpu", "all"] if ON_GPUS else [])], self.folder)
        self.assertEqual(code, 0, said)
        times = json.loads(said[said.index("{"):said.rindex("}") + 1])
        self.assertEqual(times["processes"], 2)
        return times["bytes_summed"]

    def test_a_block_sends_as_much_as_a_plain_layer(self):
        plain = DATA.replace("ORepaConv", "Convolution").replace("orepa_param { preset: OREPA }", "")
        sent = self.bytes_summed(plain + REST)
        self.assertEqual(self.bytes_summed(DATA + REST), sent)
        numbers = 4 * (6 * 9 + 5 * 6 * 9 + 5 + 3 * 45 + 3) + 8  # kernels, biases, the loss
        self.assertGreaterEqual(sent, numbers)
        self.assertLess(sent, numbers + 5 * 256)  # each begins at a multiple of 256 bytes

    @unittest.skipIf(ON_GPUS, "large for GPUs that are emulated")
    def test_blocks_send_as_much_as_a_plain_network(self):
        sent = {}
        for style in ("plain", "orepa"):
            net = (MODELS / "resnet18" / style / "train_val.prototxt").read_text()
            sent[style] = self.bytes_summed(re.sub(r"dim: 16\b", "dim: 2", net).replace("dim: 224", "dim: 32"))
        # ResNet-18 has 11,684,712 merged parameters with its deploy biases; factors and biases of BatchNorm add some.
        self.assertAlmostEqual(sent["orepa"] / sent["plain"], 1, delta=0.01)
        self.assertAlmostEqual(sent["plain"] / 4 / 11_689_512, 1, delta=0.01)

    def expect_failure(self, message, *command, ranks=2, **options):
        code, said, _ = mpirun(ranks, command, self.folder, **options)
        self.assertNotEqual(code, 0, said)
        self.assertIn(message, said)
        return said

    def test_who_would_train_something_else_is_refused(self):
        self.write(DATA + REST)
        (self.folder / "other.prototxt").write_text(SOLVER.replace("momentum: 0.9", "momentum: 0.8"))
        self.expect_failure("read different solvers or nets", "sh", "-c",
                            '[ "$OMPI_COMM_WORLD_RANK" != 1 ] || other=other; '
                            f'exec "{TOOL}" train --solver "${{other:-solver}}.prototxt" --run run')

    def test_another_build_is_refused(self):
        self.write(DATA + REST)
        other = self.folder / "other"
        other.mkdir()
        for path in (pathlib.Path(TOOL), pathlib.Path(TOOL).parent / "liborepa_mpi.so"):
            shutil.copy(path, other)
        with open(other / "orepa_tool", "ab") as program:
            program.write(b"another one")
        self.expect_failure("not of one build", "sh", "-c", f'tool="{TOOL}"; [ "$OMPI_COMM_WORLD_RANK" != 1 ] || '
                                                            'tool=other/orepa_tool; '
                                                            'exec "$tool" train --solver solver.prototxt --run run')

    def test_a_rank_without_its_data_ends_all(self):
        self.write(DATA + REST)
        here, there = self.folder / "solver.prototxt", self.folder / "elsewhere"
        there.mkdir()
        for name in ("net.prototxt", "solver.prototxt", "labels"):
            shutil.copy(self.folder / name, there)
        said = self.expect_failure("rank 1 has left", "sh", "-c",
                                   '[ "$OMPI_COMM_WORLD_RANK" != 1 ] || cd elsewhere; '
                                   f'exec "{TOOL}" train --solver solver.prototxt --run {self.folder}/run')
        self.assertIn("images", said)

    def write_rows(self, name, count, not_finite=(), no_class=()):
        """Rows of 4 numbers and which of 3 classes each is, for an HDF5Data layer with the source NAME.txt."""
        rows = numpy.random.default_rng(2).normal(size=(count, 4)).astype(numpy.float32)
        rows[list(not_finite), 1] = numpy.nan
        labels = numpy.arange(count, dtype=numpy.float32) % 3
        labels[list(no_class)] = 7
        with h5py.File(self.folder / f"{name}.h5", "w") as file:
            file["x"] = rows
            file["label"] = labels
        (self.folder / f"{name}.txt").write_text(f"{name}.h5\n")

    def test_a_rank_that_gets_a_nan_ends_all_and_names_its_layer(self):
        # Row 2 of the second batch of 4, which is the last rank's, of two and of three.
        before_loss = 'layer { name: "loss"'
        normal = ROWS.replace(before_loss, 'layer { name: "bn" type: "BatchNorm" bottom: "ip" top: "ip" }\n' + before_loss)
        counted = ROWS.replace('top: "loss"', 'top: "loss" loss_param { ignore_label: 2 }')
        for net, solver, rows, layer in ((normal, "sync_statistics: true ", {"not_finite": [6]}, "rows"),
                                         (counted, "iter_size: 2 ", {"no_class": [6]}, "loss")):
            self.write_rows("rows", 8, **rows)
            self.write(net, solver)
            for ranks in (2, 3):
                said = self.expect_failure("the loss is", TOOL, "train", "--solver", "solver.prototxt", "--run", "run",
                                           "--overwrite", "--set", "test_interval=0", ranks=ranks, seconds=20)
                # Who has left before the others have heard of it is quoted by them.
                what = re.findall(r"^error: (?:(?:iteration \d: )?rank \d has left: )?iteration \d: the loss is -?nan; "
                                  f'the first number that is not finite: (?:rank {ranks - 1}: )?layer "(.*?)"', said, re.MULTILINE)
                self.assertEqual(what, [layer] * ranks, said)
        self.assertEqual(list(self.folder.glob("run/*_iter_*")), [])

    def test_what_a_rank_meets_in_a_test_all_say_behind_a_snapshot(self):
        self.write_rows("rows", 8)
        # Six batches of 2, of which the second is rank 1's, of two ranks and of three.
        self.write(ROWS_TESTED + ROWS, "test_initialization: false ")
        flags = ["--set", "snapshot=0"]
        for ranks in (2, 3):
            run = f"of{ranks}"
            self.write_rows("tested", 12, not_finite=[2, 5])
            command = shlex.join([TOOL, "train", "--solver", "solver.prototxt", "--run", run, *flags])
            _, said, _ = mpirun(ranks, ["sh", "-c", f'{command}; echo "rank ends with $?"'], self.folder)
            self.assertEqual(said.count("rank ends with 1"), ranks, said)
            failure = 'net.prototxt: output "loss" of the test is -?nan; the first number that is not finite: layer "tested"'
            self.assertEqual(len(re.findall(f"^error: {failure}", said, re.MULTILINE)), 1, said)
            self.assertEqual(len(re.findall(f"^error: rank 1: {failure}", said, re.MULTILINE)), ranks - 1, said)
            self.assertTrue((self.folder / run / "solver_iter_10.solverstate.h5").exists(), said)
            self.write_rows("tested", 12)
            said = self.trained(ranks, run, *flags, "--snapshot", "auto")
            self.assertIn(f"resumed from {run}/solver_iter_10.solverstate.h5", said)
            self.assertEqual([line["iteration"] for line in self.lines(run, "test.jsonl")], [10, 20])

    def signal_to_rank_1(self, signal, moment, *flags):
        """A training that would go on for hours, with a snapshot every 20 iterations, which gets the signal a moment after the
        shell's condition is true; returns its exit code and what was said."""
        self.write(DATA + REST)
        command = " ".join([TOOL, "train", "--solver", "solver.prototxt", "--run", "run", "--set", "max_iter=1000000",
                            "--set", "test_interval=1000000", "--set", "snapshot=20", *flags])
        code, said, _ = mpirun(2, ["sh", "-c", f'[ "$OMPI_COMM_WORLD_RANK" != 1 ] || {{ until {moment}; do sleep 0.1; done; '
                                               f'sleep 0.2; kill -{signal} $$; }} & exec {command}'], self.folder)
        return code, said

    def expect_whole_snapshots(self):
        said = self.trained(2, "run", "--snapshot", "auto", "--set", "max_iter=1000000", "--dry_run")
        self.assertIn("resumed from", said)
        self.assertNotIn("passed over", said)

    def test_a_rank_that_is_stopped_ends_all_and_leaves_the_last_snapshot(self):
        code, said = self.signal_to_rank_1("STOP", A_SNAPSHOT, "--rank_timeout", "5")
        self.assertNotEqual(code, 0, said)
        self.assertIn("nothing is heard of rank 1", said)
        self.expect_whole_snapshots()

    def test_a_rank_that_dies_ends_all_and_leaves_the_last_snapshot(self):
        code, said = self.signal_to_rank_1("KILL", A_SNAPSHOT)
        self.assertNotEqual(code, 0, said)
        self.expect_whole_snapshots()

    def test_a_stop_at_any_rank_stops_all_with_one_snapshot(self):
        code, said = self.signal_to_rank_1("TERM", "[ -s run/train.jsonl ]", "--set", "snapshot=0")
        self.assertEqual(code, 3, said)
        self.assertIn("stopped as asked", said)
        self.assertEqual(len(list(self.folder.glob("run/solver_iter_*.solverstate.h5"))), 1)


if __name__ == "__main__":
    unittest.main()
