"""Two processes of one thread beside one process of two, on the same two processors and the same whole batch.

    python3 tools/bench_ranks.py --tool build/orepa_tool [--models resnet18/orepa,...]

Every round runs each once; ratios are the two processes' step to the one's, taken round by round. Needs Open MPI.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile

from bench import model_file


def step(command, threads):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    said = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(said)


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
            one, two = (statistics.median(both[i]["median_seconds"] for both in rounds) for i in (0, 1))
            ratio = statistics.median(b["median_seconds"] / a["median_seconds"] for a, b in rounds)
            print(f"{name}: one process of two threads {one * 1000:.0f} ms, two of one {two * 1000:.0f} ms, {ratio:.2f} times; "
                  f"each gives {rounds[0][1]['bytes_summed'] / 2**20:.1f} MiB to sums", flush=True)


if __name__ == "__main__":
    main()
