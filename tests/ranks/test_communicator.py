"""What ranks say to each other, and what becomes of them where one fails.

    TALK=build/talk python3 tests/ranks/test_communicator.py
"""
import os
import re
import unittest

from mpi import mpirun

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
        self.assertEqual(said.count(message), 2, said)  # by both others
        self.assertLess(seconds, TIMEOUT + 20, said)
        return code

    def test_a_rank_that_leaves_says_why(self):
        self.assertNotEqual(self.expect_blame("leave", "rank 1 has left: there is no sample 7"), 0)

    def test_a_rank_that_is_stopped_is_named(self):
        message = f"waited {TIMEOUT} s for the other ranks: nothing is heard of rank 1"
        self.assertNotEqual(self.expect_blame("stop", message), 0)

    def test_a_rank_that_is_late_is_named(self):
        self.assertNotEqual(self.expect_blame("late", "rank 1 is late, but alive"), 0)

    def test_a_rank_that_dies_ends_the_others(self):
        code, said, _ = self.talk(3, "die", 1)
        self.assertNotEqual(code, 0, said)

    def test_a_rank_that_dies_is_named_where_mpirun_does_not_end_the_others(self):
        self.expect_blame("die", "nothing is heard of rank 1", options=["--enable-recovery"])


if __name__ == "__main__":
    unittest.main()
