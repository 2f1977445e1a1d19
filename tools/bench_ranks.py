"""Two processes of one thread beside one process of two, on the same two processors and the same whole batch.

    python3 tools/bench_ranks.py --tool build/orepa_tool [--models resnet18/orepa,...]

Every round runs each once; ratios are the two processes' step to the one's, taken round by round. What the threads take that
talk to the other rank is measured while they live. Needs Open MPI.
"""
import argparse
import glob
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

from bench import model_file


TALKING = "orepa-mpi"  # MpiThread::kName


def talking_seconds():
    """Processor time, by thread, of the threads that talk to other ranks."""
    seconds = {}
    for name in glob.glob("/proc/[0-9]*/task/*/stat"):
        try:
            stat = pathlib.Path(name).read_text()
        except OSError:
            continue  # it has ended
        if f"({TALKING})" in stat:
            user, system = stat[stat.rindex(")"):].split()[12:14]
            seconds[name] = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return seconds


def step(command, threads):
    """What the program says of its steps, and the share of a processor that talking to the other rank took."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    with tempfile.TemporaryFile("w+") as output, subprocess.Popen(command, env=environment, stdout=output) as process:
        looks = []
        while process.poll() is None:
            looks.append((time.monotonic(), talking_seconds()))
            time.sleep(0.2)
        if process.returncode != 0:
            raise SystemExit(f"{command} failed with {process.returncode}")
        output.seek(0)
        said = json.load(output)
    looks = [look for look in looks if look[1]]
    if len(looks) < 2:
        return said, 0
    (begin, before), (end, after) = looks[len(looks) // 4], looks[-1]
    return said, sum(after[thread] - before.get(thread, 0) for thread in after) / len(after) / (end - begin)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="build/orepa_tool")
    parser.add_argument("--models", default="resnet18/plain,resnet18/orepa")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=3)
    options = parser.parse_args()
    print(f"batch {options.batch}, medians of {options.rounds} rounds of {options.iterations} steps, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.models.split(","):
            command = [options.tool, "time", "--model", model_file(folder, *name.split("/"), options.batch),
                       "--iterations", str(options.iterations), "--json"]
            rounds = [(step(command, 2), step(["mpirun", "-np", "2", "--bind-to", "core", *command], 1))
                      for _ in range(options.rounds)]
            one, two = (statistics.median(both[i][0]["median_seconds"] for both in rounds) for i in (0, 1))
            ratio = statistics.median(b["median_seconds"] / a["median_seconds"] for (a, _), (b, _) in rounds)
            talking = statistics.median(share for _, (_, share) in rounds)
            print(f"{name}: one process of two threads {one * 1000:.0f} ms, two of one {two * 1000:.0f} ms, {ratio:.2f} times; "
                  f"each gives {rounds[0][1][0]['bytes_summed'] / 2**20:.1f} MiB to sums, and its thread for them takes "
                  f"{talking:.1%} of a processor", flush=True)


if __name__ == "__main__":
    main()
