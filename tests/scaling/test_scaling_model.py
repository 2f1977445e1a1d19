"""`tools/scaling_model.py` obeys what is certain about any cluster, and docs/scaling.md shows what it prints."""
import contextlib
import io
import math
import pathlib
import re
import shlex
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import scaling_model

COUNTS = [8 * 2 ** k for k in range(8)]
IDEAL = "--data local --disk inf --machine_link inf --network inf --machine_hop 0 --network_hop 0 --tree_hop 0 --start 0"


def step(gpus, options=""):
    return scaling_model.step(gpus, scaling_model.arguments(options.split()))


def printed(words):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        scaling_model.main(words)
    return out.getvalue()


class ScalingModelTest(unittest.TestCase):
    def assert_grows(self, values):
        self.assertTrue(all(a <= b for a, b in zip(values, values[1:])) and values[0] < values[-1], values)

    def test_one_gpu_sums_nothing(self):
        alone = step(1, "--sync_statistics")
        self.assertEqual((alone.sums, alone.late, alone.statistics, alone.efficiency), (0, 0, 0, 1))

    def test_one_machine_has_no_network(self):
        self.assertEqual(step(8), step(8, "--network 1 --network_hop 1e6 --tree_hop 1e6"))
        self.assertNotEqual(step(16), step(16, "--network 1"))

    def test_without_limits_it_is_as_fast_as_its_gpus(self):
        for gpus in COUNTS:
            self.assertAlmostEqual(step(gpus, IDEAL + " --sync_statistics").efficiency, 1)

    def test_each_limit_alone_is_what_slows_it(self):
        for option, kind, name in (("--network 1e9", "sums", "links"), ("--tree_hop 1e3 --network_hop 1e3", "sums", "latency"),
                                   ("--disk 1e9", "data", "disks"), ("--threads 1", "decoding", "decoding")):
            slow = step(1024, f"{IDEAL} {option}")
            self.assertLess(slow.efficiency, 0.99, option)
            self.assertEqual([of for of, load in slow.loads.items() if load >= 1], [kind], option)
            self.assertIn(f"| {name}, ", printed(shlex.split(f"{IDEAL} {option}")).splitlines()[-3], option)

    def test_more_gpus_take_longer_for_a_step(self):
        for way in ("fastest", "ring", "machines", "tree"):
            steps = [step(gpus, f"--way {way} --sync_statistics") for gpus in COUNTS]
            for part in ("sums", "late", "statistics", "data", "seconds"):
                self.assert_grows([getattr(of, part) for of in steps])
            self.assert_grows([-of.efficiency for of in steps])

    def test_the_fastest_way_is_no_slower_than_any(self):
        for gpus in COUNTS:
            fastest = step(gpus).sums
            self.assertEqual(fastest, min(step(gpus, f"--way {way}").sums for way in ("ring", "machines", "tree")))

    def test_twice_the_bytes_take_twice_the_time_on_links(self):
        c = scaling_model.arguments([])
        for gpus in COUNTS:
            for one, two in zip(scaling_model.ways(1e6, gpus, c), scaling_model.ways(2e6, gpus, c)):
                self.assertAlmostEqual(two.links, 2 * one.links)
                self.assertEqual(two.latency, one.latency)

    def test_a_ring_sends_almost_twice_what_there_is(self):
        c = scaling_model.arguments("--machine 4 --machine_link 100 --start 0 --machine_hop 1e6".split())
        self.assertEqual(scaling_model.ways(1000, 4, c), [scaling_model.Sum("ring", 15, 6)])

    def test_statistics_are_24_bytes_a_channel_whatever_the_gpus(self):
        free = "--machine_link 1e9 --network 1e9 --machine_hop 0 --network_hop 0 --start 0 --way ring --sync_statistics"
        for gpus in COUNTS:
            self.assertAlmostEqual(step(gpus, free).statistics, 2 * (gpus - 1) / gpus * 24 * 26560 / 1e9)

    def test_statistics_wait_twice_a_layer(self):
        hop = "--machine_link inf --machine_hop 1 --start 0 --sync_statistics"
        self.assertAlmostEqual(step(8, hop).statistics, 53 * 2 * 2 * 7 * 1e-6)

    def test_sums_hide_behind_the_backward_pass_but_the_last(self):
        def one_by_one(piece, pieces, backward):
            end = 0
            for k in range(1, pieces + 1):
                end = max(end, k * backward / pieces) + piece
            return end - backward

        for piece in (0, 0.5, 1, 1.5, 4):
            self.assertAlmostEqual(scaling_model.not_hidden(piece, 10, 10), one_by_one(piece, 10, 10))

    def test_a_whole_batch_is_shared_out(self):
        self.assertEqual(step(32, "--whole_batch 8192"), step(32))
        self.assertEqual(step(64, "--whole_batch 8192").images, 128)
        self.assertLess(step(64, "--whole_batch 8192").seconds, step(32).seconds)

    def test_what_is_full_first(self):
        c = scaling_model.arguments([])
        first = scaling_model.full_from("data", c)
        self.assertGreaterEqual(scaling_model.step(first, c).loads["data"], 1)
        self.assertLess(scaling_model.step(first - c.machine, c).loads["data"], 1)
        self.assertIn(f"Full: file system from {first} GPUs on.", printed([]))

    def test_every_constant_says_where_it_is_from(self):
        for name, (value, _, source) in scaling_model.CONSTANTS.items():
            self.assertTrue(math.isfinite(value) and value > 0, name)
            self.assertRegex(source, "^(measured|published|counted|aimed at|assumed)", name)

    def test_counts_that_fill_no_machines_are_refused(self):
        for options, reason in (("--gpus 12", "multiple"), ("--gpus 0", "multiple"), ("--gpus 8 --whole_batch 4", "without an image")):
            said = io.StringIO()
            with contextlib.redirect_stderr(said), self.assertRaises(SystemExit):
                scaling_model.main(options.split())
            self.assertIn(reason, said.getvalue())

    def test_the_page_shows_what_is_printed(self):
        page = (ROOT / "docs/scaling.md").read_text()
        commands = re.findall(r"^    python3 tools/scaling_model.py(.*)\n\n((?:\|.*\n)+\n.*\n)", page, re.MULTILINE)
        self.assertGreaterEqual(len(commands), 2)
        for words, shown in commands:
            self.assertEqual(shown, printed(shlex.split(words)), words)


if __name__ == "__main__":
    unittest.main()
