"""What may happen to a training: damaged snapshots, full and slow disks, data that goes away, signals, numbers that are none.

    TOOL=build/orepa_tool FAULTS=build/libsurvival_faults.so python3 tests/survival/test_faults.py

Every time, the run goes on or ends with a message that says why, and what goes on from its last snapshot ends as a run
that nobody disturbed. Needs Debian's python3-h5py, python3-lmdb, python3-numpy and python3-pil.
"""
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import time
import unittest

import h5py
import lmdb
import numpy

from training import (DONE, FAILED, IDX, LAST, PLAIN, REST, STOPPED, TOOL, Start, differences, environment, fresh,
                      make_task, new_folder, train, what_is_left)

SEED = int(os.environ.get("SEED", time.time_ns() % 1000000))
FOREVER = ("--set", "max_iter=1000000000", "--set", "snapshot=0", "--set", "test_interval=0")


class Survival(unittest.TestCase):
    def setUp(self):
        self.dice = random.Random(SEED)
        self.home = new_folder()
        self.addCleanup(self.leave)

    def leave(self):
        if self._outcome.success:
            shutil.rmtree(self.home)
        else:
            print(f"SEED={SEED}: what was there stays in {self.home}", file=sys.stderr)

    def task(self, name):
        """A task and what is left of a run of it that nobody disturbs, which is removed."""
        folder = make_task(self.home / name, name)
        self.run_to_end(folder)
        left = what_is_left(folder)
        shutil.copytree(folder / "run", self.home / (name + ".run"), symlinks=True)
        return folder, left

    def restore_run(self, folder):
        fresh(folder)
        shutil.copytree(self.home / (folder.name + ".run"), folder / "run", symlinks=True)

    def run_to_end(self, folder, *words, **options):
        code, said = train(folder, *words, **options)
        self.assertEqual(code, DONE, said)
        return said

    def assert_ends_alike(self, folder, reference, names=None):
        wrong = differences(what_is_left(folder), reference)
        self.assertEqual([name for name in wrong if names is None or name in names], [])

    def wait_for(self, start, words, seconds=60):
        end = time.monotonic() + seconds
        while words not in start.said():
            self.assertIsNone(start.process.poll(), start.said())
            self.assertLess(time.monotonic(), end, f"never said: {words}\n{start.said()}")
            time.sleep(0.01)

    def stop(self, start):
        """Asks a training to stop."""
        start.process.send_signal(signal.SIGTERM)
        code = start.wait(60)
        if code is None:
            start.kill()
        return code


class Snapshots(Survival):
    def damages(self, content, others):
        size = len(content)
        for length in sorted({0, 1, 8, 100, size // 2, size - 100, size - 14, size - 8, size - 4, size - 1}):
            yield f"cut off at {length} of {size}", content[:length]
        for _ in range(8):
            bit = self.dice.randrange(8 * size)
            damaged = bytearray(content)
            damaged[bit // 8] ^= 1 << bit % 8
            yield f"bit {bit} flipped", bytes(damaged)
        yield from others.items()

    def test_damage_is_named_and_the_one_before_is_taken(self):
        foreign, _ = self.task("photographs")
        with h5py.File(self.home / "other.h5", "w") as file:
            file["values"] = numpy.arange(10)
        others = {"a text": b"This is no snapshot.\n" * 20, "another HDF5 file": (self.home / "other.h5").read_bytes()}
        for name, ending in (("orepa", ""), ("hdf5", ".h5")):
            folder, reference = self.task(name)
            for kind in ("solverstate", "caffemodel"):
                path = folder / "run" / f"net_iter_{LAST}.{kind}{ending}"
                others["that of another net"] = (foreign / "run" / f"net_iter_{LAST}.{kind}").read_bytes()
                self.restore_run(folder)
                for what, content in self.damages(path.read_bytes(), others):
                    with self.subTest(file=path.name, what=what):
                        self.restore_run(folder)
                        path.write_bytes(content)
                        said = self.run_to_end(folder)
                        self.assertIn("passed over a newer snapshot: run/net_iter_40.", said)
                        self.assertIn("resumed from run/net_iter_35.solverstate", said)
                        self.assert_ends_alike(folder, reference)

    def test_a_folder_of_that_name_is_passed_over(self):
        folder, reference = self.task("plain")
        self.restore_run(folder)
        (folder / "run" / "net_iter_45.solverstate").mkdir()
        said = self.run_to_end(folder)
        self.assertIn("passed over a newer snapshot: run/net_iter_45.solverstate", said)
        (folder / "run" / "net_iter_45.solverstate").rmdir()
        self.assert_ends_alike(folder, reference)

    def test_a_whole_one_of_another_net_ends_the_run(self):
        other = make_task(self.home / "orepa", "orepa")
        self.run_to_end(other)
        folder = make_task(self.home / "plain", "plain")
        shutil.copytree(other / "run", folder / "run", symlinks=True)
        before = what_is_left(folder)
        code, said = train(folder)
        self.assertEqual(code, FAILED, said)
        self.assertIn("run/net_iter_40.", said)
        self.assertIn("it belongs to another net", said)
        self.assert_ends_alike(folder, before)

    def test_a_finished_run_keeps_its_only_snapshot_whenever_it_is_killed(self):
        folder = make_task(self.home / "plain", "plain")
        self.run_to_end(folder, "--set", "snapshot_keep=1")
        weights = folder / "run" / f"net_iter_{LAST}.caffemodel"
        content = weights.read_bytes()
        for number in range(1, 40):
            code = Start(folder, "--set", "snapshot_keep=1", kill_at=number).wait()
            self.assertIn(code, (-signal.SIGKILL, DONE))
            self.assertEqual(weights.read_bytes(), content)
            self.assertTrue(weights.with_suffix(".solverstate").exists())


class Disks(Survival):
    def assert_goes_on(self, folder, reference, code, said):
        """After a disk that failed, which is none now."""
        if code != DONE:
            self.assertEqual(code, FAILED, said)
        self.assertRegex(said, r": (cannot be written|cannot be made|the folder .* cannot)")
        again = self.run_to_end(folder)
        self.assertNotIn("passed over", again)
        self.assert_ends_alike(folder, reference, (f"net_iter_{LAST}.caffemodel", "train.jsonl", "test.jsonl"))

    def test_full_for_a_while_or_for_good(self):
        folder, reference = self.task("orepa")
        for _ in range(12):
            first = self.dice.randint(1, 300)
            last = self.dice.choice((first + 20, first + 60, 10**9))
            with self.subTest(first=first, last=last):
                fresh(folder)
                self.assert_goes_on(folder, reference, *train(folder, full=f"{first},{last}"))

    @contextlib.contextmanager
    def tmpfs(self, folder, options):
        (folder / "run").mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder / "run"], capture_output=True,
                              text=True)
        if done.returncode != 0:
            (folder / "run").rmdir()
            self.skipTest(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
        try:
            yield folder / "run"
        finally:
            subprocess.run(["umount", folder / "run"], check=True)

    def test_a_file_system_that_is_full(self):
        folder, reference = self.task("orepa")
        fresh(folder)
        with self.tmpfs(folder, "size=512k") as run:
            (run / "filler").write_bytes(bytes(480 << 10))
            code, said = train(folder)
            self.assertEqual(code, FAILED, said)
            self.assertIn("No space left on device", said)
            (run / "filler").unlink()
            self.run_to_end(folder, "--set", "snapshot_keep=1")
            self.assert_ends_alike(folder, reference, (f"net_iter_{LAST}.caffemodel", "test.jsonl", "train.jsonl"))

    def test_one_that_is_full_while_features_are_written(self):
        """HDF5 itself writes them."""
        folder, _ = self.task("orepa")
        self.restore_run(folder)
        output = folder / "features.h5"

        def extract(**faults):
            done = subprocess.run([TOOL, "extract", "--model", "net.prototxt", "--weights", "run/net_latest.caffemodel",
                                   "--blobs", "conv,ip", "--output", output.name], cwd=folder, env=environment(**faults),
                                  capture_output=True, text=True)
            return done.returncode, done.stderr

        self.assertEqual(extract(count=folder / "changes"), (DONE, ""))
        whole = output.read_bytes()
        output.unlink()
        writes = 0
        for first in range(1, int((folder / "changes").read_text()) + 1):
            for last in first, 10**9:
                with self.subTest(first=first, last=last):
                    code, said = extract(full=f"{first},{last}")
                    if code == DONE:  # half of a write came later
                        self.assertEqual(output.read_bytes(), whole)
                        output.unlink()
                        continue
                    self.assertEqual(code, FAILED, said)
                    self.assertRegex(said, "features.h5: .*cannot be written")
                    self.assertEqual(list(folder.glob("features.h5*")), [])
                    writes += 1
        self.assertGreater(writes, 3)

    def test_a_folder_that_is_read_only(self):
        folder = make_task(self.home / "plain", "plain")
        with self.tmpfs(folder, "ro"):
            code, said = train(folder)
            self.assertEqual(code, FAILED, said)
            self.assertIn("run/net.lock: cannot be written: Read-only file system", said)

    def test_one_that_is_slow(self):
        folder, reference = self.task("plain")
        fresh(folder)
        self.run_to_end(folder, fsync_ms=20)
        self.assert_ends_alike(folder, reference)

    def test_a_clock_that_goes_backwards(self):
        folder, reference = self.task("plain")
        fresh(folder)
        self.run_to_end(folder, clock_back=3600)
        self.assert_ends_alike(folder, reference)
        lines = [json.loads(line) for line in (folder / "run" / "train.jsonl").read_text().splitlines()]
        self.assertGreater(lines[0]["time"], lines[-1]["time"])
        seconds = [line["seconds"] for line in lines]
        self.assertEqual(seconds, sorted(seconds))
        self.assertTrue(all(line["images_per_second"] >= 0 for line in lines))


class Data(Survival):
    def test_a_photograph_is_deleted_another_cut_off(self):
        folder = make_task(self.home / "photographs", "photographs")
        start = Start(folder, *FOREVER)
        self.wait_for(start, "iteration 5 of")
        gone, cut = folder / "photographs/class0/04.jpg", folder / "photographs/class1/07.jpg"
        gone.unlink()
        os.truncate(cut, cut.stat().st_size // 3)
        self.wait_for(start, "iteration 200 of")
        self.assertEqual(self.stop(start), STOPPED, start.said())
        self.assertTrue((folder / "run" / "net_latest.solverstate").exists())
        for name in "class0/04.jpg", "class1/07.jpg":
            self.assertRegex(start.said(), f"{name}.*; the next sample takes its place")

    def with_source(self, name, backend):
        """A task that reads this source, sample by sample."""
        folder = make_task(self.home / name, "plain")
        text = IDX.replace("IDX", backend).replace('"images" label_source: "labels"', f'"{name}"')
        (folder / "net.prototxt").write_text(text.replace("shuffle: true", "shuffle: false") + PLAIN + REST)
        return folder

    def lmdb(self, bad=None):
        """Numbers as float_data; those of one are not."""
        folder = self.with_source("numbers", "LMDB")
        (folder / "net.prototxt").write_text((folder / "net.prototxt").read_text().replace("mean_value: 110", ""))
        random_numbers = numpy.random.default_rng(1)
        with lmdb.open(str(folder / "numbers"), map_size=1 << 20) as database, database.begin(write=True) as writer:
            for i in range(40):
                values = random_numbers.normal(size=64).astype("<f4") * 30
                if i == bad:
                    values[20] = numpy.nan
                datum = bytes([8, 1, 16, 8, 24, 8, 0x28, i % 2, 0x32]) + b"\x80\x02" + values.tobytes()
                writer.put(f"{i:05}".encode(), datum)
        return folder

    def test_a_shard_is_cut_off(self):
        folder = self.with_source("photographs.tar", "TAR")
        pictures = make_task(self.home / "photographs", "photographs") / "photographs"
        with tarfile.open(folder / "photographs.tar", "w") as tar:
            for path in sorted(pictures.glob("*/*.jpg")):
                tar.add(path, path.name)
                label = path.with_suffix(".cls")
                label.write_text(path.parent.name[-1])
                tar.add(label, label.name)
        net = (folder / "net.prototxt").read_text()
        (folder / "net.prototxt").write_text(net.replace("mean_value: 110", "crop_size: 12 mean_value: 110"))
        start = Start(folder, *FOREVER)
        self.wait_for(start, "iteration 5 of")
        size = (folder / "photographs.tar").stat().st_size
        os.truncate(folder / "photographs.tar", size // 2)
        code = start.wait(60)
        self.assertEqual(code, FAILED, start.said())
        self.assertIn("photographs.tar", start.said().splitlines()[-1])

    def test_a_database_that_is_removed_stays_mapped(self):
        folder = self.lmdb()
        start = Start(folder, *FOREVER)
        self.wait_for(start, "iteration 5 of")
        shutil.rmtree(folder / "numbers")
        self.wait_for(start, "iteration 500 of")
        self.assertEqual(self.stop(start), STOPPED, start.said())

    def test_files_of_idx_are_in_memory(self):
        folder = make_task(self.home / "plain", "plain")
        start = Start(folder, *FOREVER)
        self.wait_for(start, "iteration 5 of")
        (folder / "images").unlink()
        (folder / "labels").unlink()
        self.wait_for(start, "iteration 500 of")
        self.assertEqual(self.stop(start), STOPPED, start.said())

    def test_a_number_that_is_none_in_an_image(self):
        folder = self.lmdb(bad=17)  # of the third batch
        for _ in range(2):  # going on meets it again
            code, said = train(folder, "--set", "snapshot=1", "--set", "snapshot_keep=0", "--set", "test_interval=0")
            self.assertEqual(code, FAILED, said)
            self.assertIn("iteration 2: ", said)
            self.assertRegex(said, 'layer "[a-z]+"')
            self.assertIn("the last snapshot, run/net_iter_2.solverstate, is untouched", said)
            self.assertEqual(sorted(path.name for path in (folder / "run").glob("net_iter_*.caffemodel")),
                             ["net_iter_1.caffemodel", "net_iter_2.caffemodel"])

    def test_a_number_that_is_none_in_the_weights(self):
        folder = make_task(self.home / "hdf5", "hdf5")
        self.run_to_end(folder)
        weights = folder / "weights.caffemodel.h5"
        shutil.copy(folder / "run" / f"net_iter_{LAST}.caffemodel.h5", weights)
        fresh(folder)
        with h5py.File(weights, "r+") as file:
            file["/data/ip/0"][1, 5] = numpy.nan
        code, said = train(folder, "--weights", weights.name, "--set", "test_initialization=false")
        self.assertEqual(code, FAILED, said)
        self.assertIn('layer "ip"', said)
        self.assertEqual(list((folder / "run").glob("net_iter_*")), [])


class Requests(Survival):
    def test_sigterm_at_any_time(self):
        folder, reference = self.task("plain")
        fresh(folder)
        begun = folder / "run" / "log.txt"
        for _ in range(12):
            start = Start(folder)
            while not begun.exists() and start.process.poll() is None:
                time.sleep(0.001)
            time.sleep(self.dice.uniform(0, 0.03))
            code = self.stop(start)
            self.assertIn(code, (STOPPED, DONE, -signal.SIGTERM), start.said())
            self.assertNotIn("passed over", start.said())
        self.run_to_end(folder)
        # Stops have left snapshots of other iterations, so that others may have been the best.
        self.assert_ends_alike(folder, reference, (f"net_iter_{LAST}.caffemodel", "train.jsonl", "test.jsonl"))

    def test_sigterm_in_a_test(self):
        folder, reference = self.task("plain")
        fresh(folder)
        start = Start(folder, "--set", "test_initialization=false", "--set", "test_iter=[1000000000]")
        self.wait_for(start, "snapshot  run/net_iter_5.solverstate")
        time.sleep(0.1)
        self.assertEqual(self.stop(start), STOPPED, start.said())
        self.assertEqual((folder / "run" / "test.jsonl").read_text(), "")
        said = self.run_to_end(folder)
        self.assertIn("resumed from run/net_iter_5.solverstate", said)
        reference["test.jsonl"] = reference["test.jsonl"][1:]  # the run had none at its beginning
        self.assert_ends_alike(folder, reference)

    def test_a_second_run_in_the_folder_changes_nothing(self):
        folder, reference = self.task("plain")
        fresh(folder)
        first = Start(folder, fsync_ms=30)
        self.wait_for(first, "snapshot  run/net_iter_5.solverstate")
        second = self.home / "second"
        shutil.copytree(folder, second)
        shutil.rmtree(second / "run")
        (second / "run").symlink_to(folder / "run")
        code, said = train(second)
        self.assertEqual(code, FAILED, said)
        self.assertIn("net.lock: another training writes its snapshots there", said)
        self.assertEqual(first.wait(60), DONE, first.said())
        self.assert_ends_alike(folder, reference)


if __name__ == "__main__":
    print(f"SEED={SEED}", file=sys.stderr)
    unittest.main()
