"""The tests of a package, in the folder that it is: orepa_tests on the device that --device names.

A process runs a group of tests. What a kernel breaks stays broken for its process, so the tests of a group that did not end
well run again, each in a process of its own, and what these say counts. Exit code 0: all tests passed.
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile
import time


def tests(pattern):
    """Names, SUITE.TEST."""
    listed = subprocess.run(["./orepa_tests", "--gtest_list_tests", f"--gtest_filter={pattern}"], stdout=subprocess.PIPE,
                            text=True, check=True)
    suite = ""
    for line in listed.stdout.splitlines():
        if line.startswith("  "):
            yield suite + line.split()[0]
        elif re.match(r"\S+\.(\s|$)", line):
            suite = line.split()[0]


def run(names, options, folder):
    """Whether they passed, how many were skipped, and what they printed."""
    environment = {"OMP_WAIT_POLICY": "passive", **os.environ, "OREPA_TEST_DEVICE": options.device,
                   "TEST_TMPDIR": folder + "/"}
    try:
        done = subprocess.run(["./orepa_tests", "--gtest_filter=" + ":".join(names)], env=environment, text=True,
                              errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=options.limit)
    except subprocess.TimeoutExpired as late:
        return False, 0, f"{(late.stdout or b'').decode(errors='replace')}\nstopped after {options.limit} s\n"
    ran = sum(int(count) for count in re.findall(r"^\[  PASSED  \] (\d+) test", done.stdout, re.MULTILINE))
    skipped = sum(int(count) for count in re.findall(r"^\[  SKIPPED \] (\d+) test", done.stdout, re.MULTILINE))
    return done.returncode == 0 and ran + skipped == len(names), skipped, done.stdout + f"exit code {done.returncode}\n"


def require_device(device):
    if not device.startswith("cuda:"):
        return
    said = subprocess.run(["./orepa_tool", "device_query"], stdout=subprocess.PIPE, text=True, check=True).stdout
    if f"  {device} " not in said:
        sys.exit(f"test-gpu: there is no {device} here; ./orepa_tool device_query says why")
    print(said)


def main():
    parser = argparse.ArgumentParser(prog="test-gpu", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--filter", default="*", help="as --gtest_filter")
    parser.add_argument("--jobs", type=int, default=min(8, os.cpu_count()), help="processes at a time")
    parser.add_argument("--group", type=int, default=20, help="tests of a process")
    parser.add_argument("--limit", type=float, default=120, help="seconds that a process may take")
    parser.add_argument("--log", default="test-gpu.log", help="file for what failing tests print")
    options = parser.parse_args()
    require_device(options.device)
    os.environ["OREPA_PACKAGE"] = os.getcwd()  # for the list of tests, too, which some make of files
    names = list(tests(options.filter))
    if not names:
        sys.exit(f"test-gpu: no test has a name like {options.filter}")
    # Neighbours take similar time: each group has some of all.
    count = -(-len(names) // options.group)
    groups = [names[first::count] for first in range(count)]
    start = time.monotonic()
    with (tempfile.TemporaryDirectory() as folder, open(options.log, "w") as log,
          concurrent.futures.ThreadPoolExecutor(options.jobs) as pool):
        ends = list(pool.map(lambda group: run(group, options, folder), groups))
        again = [name for group, (passed, _, _) in zip(groups, ends) if not passed for name in group]
        singly = list(pool.map(lambda name: run([name], options, folder), again))
        failed = [name for name, (passed, _, _) in zip(again, singly) if not passed]
        for name, (passed, _, said) in zip(again, singly):
            if not passed:
                log.write(f"=== {name}\n{said}\n")
                print(f"failed: {name}")
        # A group that failed where each of its tests passes alone: an earlier one spoilt the process.
        for group, (passed, _, said) in zip(groups, ends):
            if not passed and not set(group) & set(failed):
                log.write(f"=== together alone: {' '.join(group)}\n{said}\n")
                print(f"failed together, but not singly: the {len(group)} tests from {group[0]}")
    skipped = sum(end[1] for end in ends if end[0]) + sum(end[1] for end in singly if end[0])
    print(f"{len(names) - len(failed) - skipped} of {len(names)} tests passed on {options.device}, {skipped} skipped, "
          f"{len(failed)} failed; {time.monotonic() - start:.0f} s" + (f"; see {options.log}" if again else ""))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
