"""Trainings that are killed again and again, and end as if nobody had touched them.

    TOOL=build/orepa_tool FAULTS=build/libsurvival_faults.so python3 tests/survival/kills.py --kills 30

Every start of a training goes on with `--snapshot auto` and gets SIGKILL, at a random time or instead of a random change of a
file, in the middle of a write, too. Once it ends by itself, its snapshots, links and curves equal those of a run without
kills, bit for bit and line for line, and no start has found a damaged snapshot. Which tests have a line of branches, the
clock says; what it says does not depend on the run. Needs Debian's python3-numpy and python3-pil.
"""
import argparse
import random
import shutil
import sys
import time

from training import DONE, LAST, TASKS, Start, differences, fresh, lines, make_task, new_folder, train, what_is_left


def iterations(curve):
    return [line["iteration"] for line in curve]


class Victim:
    """One task: a run that nobody disturbs, and those that are killed."""

    def __init__(self, folder, name):
        self.name = name
        self.folder = make_task(folder / name, name)
        count = self.folder / "changes"
        begin = time.monotonic()
        code, said = train(self.folder, count=count)
        self.seconds = time.monotonic() - begin
        if code != DONE:
            raise AssertionError(f"{name}: the run without kills ended with {code}:\n{said}")
        self.reference = what_is_left(self.folder)
        self.tests = iterations(self.reference["test.jsonl"])
        last = self.tests[-1]
        if (last == LAST) == ("early_stop" in TASKS[name].solver):
            raise AssertionError(f"{name}: the run without kills ended at iteration {last} of {LAST}")
        display = TASKS[name].display
        if iterations(self.reference["train.jsonl"]) != sorted({*range(display, last + 1, display), last}):
            raise AssertionError(f"{name}: the run without kills has other lines than one every {display} iterations")
        if self.tests != list(range(0, last + 1, 5)):
            raise AssertionError(f"{name}: the run without kills has other lines than one a test")
        self.branches = {}
        self.compare_branches()
        self.changes = int(count.read_text())
        fresh(self.folder)

    def start(self, dice):
        """One start; returns whether it was killed before its end."""
        if dice.random() < 0.5:
            what = "after a while"
            begin = Start(self.folder)
            code = begin.wait(dice.uniform(0, self.seconds))
            if code is None:
                code = begin.kill()
        else:
            number = dice.randint(1, self.changes)
            what = f"at change {number} of {self.changes}"
            begin = Start(self.folder, kill_at=number)
            code = begin.wait(120)
        if "passed over" in begin.said():
            raise AssertionError(f"{self.name}: a kill left a damaged snapshot:\n{begin.said()}")
        if code == -9:
            return True
        if code != DONE:
            raise AssertionError(f"{self.name}, to be killed {what}: ended with {code}:\n{begin.said()}")
        self.compare()
        fresh(self.folder)
        return False

    def compare(self):
        wrong = differences(what_is_left(self.folder), self.reference)
        if wrong:
            for name in wrong:
                print(f"{name}: differs from that of a run without kills", file=sys.stderr)
            if "train.jsonl" in wrong:
                print(iterations(lines(self.folder, "train.jsonl")), file=sys.stderr)
            raise AssertionError(f"{self.name}: the run did not end as one without kills does")
        self.compare_branches()

    def compare_branches(self):
        """A line says the same in every run that has it; the last one is there."""
        if "ORepaConv" not in TASKS[self.name].net:
            return
        found = lines(self.folder, "branches.jsonl")
        tests = iterations(found)
        if tests != sorted(set(tests) & set(self.tests)) or tests[-1] != self.tests[-1]:
            raise AssertionError(f"{self.name}: there are lines of branches of the iterations {tests}")
        for line in found:
            if self.branches.setdefault(line["iteration"], line) != line:
                raise AssertionError(f"{self.name}: the branches of iteration {line['iteration']} are other ones")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1000000)
    parser.add_argument("--tasks", default=",".join(TASKS), help="of " + ", ".join(TASKS))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    dice = random.Random(arguments.seed)
    folder = new_folder()
    begin = time.monotonic()
    try:
        victims = [Victim(folder, name) for name in arguments.tasks.split(",")]
        kills = runs = 0
        while kills < arguments.kills:
            if dice.choice(victims).start(dice):
                kills += 1
            else:
                runs += 1
        for victim in victims:  # what was killed last is let through
            code, said = train(victim.folder)
            if code != DONE:
                raise AssertionError(f"{victim.name}: ended with {code}:\n{said}")
            victim.compare()
            runs += 1
    except BaseException:
        print(f"seed {arguments.seed}: what was there stays in {folder}", file=sys.stderr)
        raise
    shutil.rmtree(folder)
    print(f"{kills} kills in {runs} runs of {', '.join(v.name for v in victims)}: all ended like runs without kills, "
          f"in {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
