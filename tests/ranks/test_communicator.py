"""What ranks say to each other, and what becomes of them where one fails.

    TALK=build/talk [DEVICE=cuda] python3 tests/ranks/test_communicator.py
"""
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest

from mpi import ENVIRONMENT, mpirun

TALK = os.path.abspath(os.environ.get("TALK", "build/talk"))
TIMEOUT = 2  # seconds


class CommunicatorTest(unittest.TestCase):
    def talk(self, ranks, *how, options=()):
        return mpirun(ranks, [TALK, TIMEOUT, *how], options=options)

    def test_sums_are_those_of_all(self):
        for ranks in (2, 3):
            code, said, _ = self.talk(ranks)
            self.assertEqual(code, 0, said)
            # 20 rounds of 10,007 floats, 3 doubles, 1,001 halves.
            self.assertEqual(len(re.findall(r"well, 841080 bytes", said)), ranks, said)

    def test_a_process_alone_is_none_of_several(self):
        code, said, _ = self.talk(1)
        self.assertEqual(code, 1)
        self.assertIn("alone", said)

    def expect_blame(self, how, message, options=()):
        code, said, seconds = self.talk(3, how, 1, options=options)
        # One that is stopped may yet be woken by mpirun, and find that it is alone.
        speakers = re.findall(rf"^rank (\d): error: .*{message}", said, re.MULTILINE)
        self.assertTrue({"0", "2"} <= set(speakers), said)  # both others
        self.assertLess(seconds, TIMEOUT + 20, said)
        return code

    def test_a_rank_that_leaves_says_why(self):
        self.assertNotEqual(self.expect_blame("leave", "rank 1 has left: there is no sample 7"), 0)

    def test_a_rank_that_is_stopped_is_named(self):
        self.assertNotEqual(self.expect_blame("stop", "nothing is heard of rank 1"), 0)

    def test_a_rank_that_is_late_is_named(self):
        self.assertNotEqual(self.expect_blame("late", "rank 1 is late, but alive"), 0)

    def test_a_rank_that_dies_ends_the_others(self):
        code, said, _ = self.talk(3, "die", 1)
        self.assertNotEqual(code, 0, said)

    def test_a_rank_that_dies_is_named_where_mpirun_does_not_end_the_others(self):
        self.expect_blame("die", "nothing is heard of rank 1", options=["--enable-recovery"])


class Network:
    """Two machines as network namespaces, with a link between them. Needs iproute2, and the right to make them."""

    def __init__(self, folder):
        self.hosts = ["10.77.0.1", "10.77.0.2"]
        self.spaces = [f"ranks{os.getpid()}-{host}" for host in self.hosts]
        self.agent = folder / "agent.sh"  # what mpirun starts processes on another host by
        self.agent.write_text(f'#!/bin/sh\nhost=$1\nshift\nexec ip netns exec "ranks{os.getpid()}-$host" sh -c "$*"\n')
        self.agent.chmod(0o755)

    def make(self):
        for space in self.spaces:
            self.ip("netns", "add", space)
        self.ip("link", "add", "link0", "netns", self.spaces[0], "type", "veth", "peer", "name", "link1", "netns",
                self.spaces[1])
        for i, (space, host) in enumerate(zip(self.spaces, self.hosts)):
            self.ip("-n", space, "addr", "add", f"{host}/24", "dev", f"link{i}")
            self.ip("-n", space, "link", "set", f"link{i}", "up")
            self.ip("-n", space, "link", "set", "lo", "up")

    @staticmethod
    def ip(*words):
        subprocess.run(["ip", *words], check=True)

    def cut(self):
        self.ip("-n", self.spaces[0], "link", "set", "link0", "down")

    def remove(self):
        for space in self.spaces:
            if os.path.exists(f"/run/netns/{space}"):
                self.ip("netns", "del", space)

    def mpirun(self, folder, command):
        subnet = "10.77.0.0/24"
        return ["ip", "netns", "exec", self.spaces[0], "mpirun", "--mca", "plm_rsh_agent", str(self.agent), "--mca", "btl",
                "tcp,self", "--mca", "btl_tcp_if_include", subnet, "--mca", "oob_tcp_if_include", subnet, "-host",
                ",".join(self.hosts), "-np", "2", "sh", "-c",
                f'{command} >"{folder}/$OMPI_COMM_WORLD_RANK.txt" 2>&1; echo "exit $?" >>"{folder}/$OMPI_COMM_WORLD_RANK.txt"']


class BrokenLinkTest(unittest.TestCase):
    def test_each_side_names_the_other(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            network = Network(folder)
            self.addCleanup(network.remove)
            try:
                network.make()
            except (OSError, subprocess.CalledProcessError) as reason:
                self.skipTest(f"there can be no network namespaces here: {reason}")
            logs = [folder / f"{rank}.txt" for rank in (0, 1)]
            # mpirun may hang where a link is broken: what is shown is that the ranks do not.
            process = subprocess.Popen(network.mpirun(folder, f"{TALK} {TIMEOUT} pause 3"), env=ENVIRONMENT,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
            self.addCleanup(lambda: (os.killpg(process.pid, signal.SIGKILL), process.wait()))
            self.wait_for(logs, "half-way", 30)
            network.cut()
            self.wait_for(logs, "exit ", TIMEOUT + 20)
            for rank, log in enumerate(logs):
                said = log.read_text()
                self.assertIn(f"nothing is heard of rank {1 - rank}", said)
                self.assertIn("exit 1", said)

    def wait_for(self, logs, words, seconds):
        end = time.monotonic() + seconds
        while not all(log.exists() and words in log.read_text() for log in logs):
            self.assertLess(time.monotonic(), end, [log.read_text() for log in logs if log.exists()])
            time.sleep(0.1)


if __name__ == "__main__":
    unittest.main()
