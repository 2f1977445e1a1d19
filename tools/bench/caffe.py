"""Training steps of models/caffe beside Caffe's own on the CPU (make bench-caffe).

A round runs each program once on each model, as a process of its own, with the same number of threads; seconds are medians over
the rounds, the ratio, Caffe's step over ours, is taken round by round. Ours has the solver's update in it, Caffe's the least
that there is, weights less a rate times gradients.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile

MODELS = pathlib.Path("models/caffe")
LEFT_OUT = "lrcn", "densenet121"  # for its LSTM; for round_mode, which Caffe 1.0 does not have


def model_file(folder, model, batch):
    """The model with at most as many images of DummyData, and the number of them."""
    text = (MODELS / model / "train_val.prototxt").read_text()
    shapes = [int(number) for number in re.findall(r"^    shape \{ dim: (\d+)", text, re.MULTILINE)]
    batch = min(batch, shapes[0])
    path = pathlib.Path(folder) / f"{model}.prototxt"
    path.write_text(re.sub(r"^(    shape \{ dim: )\d+", rf"\g<1>{batch}", text, flags=re.MULTILINE))
    return path, batch


def run(words, threads):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
    return subprocess.run(list(map(str, words)), env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def row(options, path):
    rounds = []
    for _ in range(options.rounds):
        ours = run([options.tool, "time", "--model", path, "--iterations", options.iterations, "--json"], options.threads)
        theirs = run([options.caffe, path, options.iterations], options.threads)
        rounds.append((json.loads(ours)["median_seconds"], float(theirs)))
    us, them = (statistics.median(column) for column in zip(*rounds))
    ratio = statistics.median(b / a for a, b in rounds)
    return f"{us:#.3g} | {them:#.3g} | {ratio:.1f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="build/orepa_tool")
    parser.add_argument("--caffe", default="build/referees/bin/caffe_step")
    parser.add_argument("--models", default=",".join(sorted(path.parent.name for path in MODELS.glob("*/train_val.prototxt")
                                                            if path.parent.name not in LEFT_OUT)))
    parser.add_argument("--batch", type=int, default=4, help="at most")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=2)
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} before; {options.threads} threads, medians of {options.rounds} rounds of "
          f"{options.iterations} steps\n\n| model | batch | orepa, seconds a step | Caffe, seconds a step | ratio |\n"
          "| --- | --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for model in options.models.split(","):
            path, batch = model_file(folder, model, options.batch)
            try:
                print(f"| {model} | {batch} | {row(options, path)} |", flush=True)
            except subprocess.CalledProcessError as error:
                print(f"| {model} | {batch} | {pathlib.Path(error.cmd[0]).name} ended with code {error.returncode} | | |", flush=True)


if __name__ == "__main__":
    main()
