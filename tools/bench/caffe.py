"""Training steps of models/caffe beside Caffe's own on the CPU (make bench-caffe).

A round runs each program once on each model, as a process of its own, with the same number of threads; seconds are medians over
the rounds, the ratio, Caffe's step over ours, is taken round by round. Ours has the solver's update in it, Caffe's the least
that there is, weights less a rate times gradients. Operations are those of direct convolutions: 6 for each multiply-accumulate
of the forward pass, for the backward pass has two as large.
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
LEFT_OUT = "densenet121",  # for round_mode, which Caffe 1.0 does not have


def model_file(folder, model, batch):
    """The model with at most as many images of DummyData, and the number of them."""
    text = (MODELS / model / "train_val.prototxt").read_text()
    shapes = [int(number) for number in re.findall(r"^    shape \{ dim: (\d+)", text, re.MULTILINE)]
    batch = min(batch, shapes[0])
    path = pathlib.Path(folder) / f"{model}.prototxt"
    path.write_text(re.sub(rf"^(    shape \{{ dim: ){shapes[0]}\b", rf"\g<1>{batch}", text, flags=re.MULTILINE))
    return path, batch


def run(words, threads):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
    return subprocess.run(list(map(str, words)), env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def operations(options, path):
    summary = run([options.tool, "summary", "--model", path], options.threads)
    total = next(line for line in summary.splitlines() if line.startswith("total "))
    return 6 * int(total.split()[3].replace(",", ""))


def row(options, path):
    def ours(precision):
        words = [options.tool, "time", "--model", path, "--iterations", options.iterations, "--precision", precision, "--json"]
        return json.loads(run(words, options.threads))["median_seconds"]

    rounds = [(float(run([options.caffe, path, options.iterations], options.threads)), ours("FLOAT32"), ours("BF16"))
              for _ in range(options.rounds)]
    seconds = [statistics.median(column) for column in zip(*rounds)]
    ratios = [statistics.median(each[0] / each[i] for each in rounds) for i in (1, 2)]
    rates = ", ".join(f"{operations(options, path) / each / 1e9:.0f}" for each in seconds)
    return " | ".join([f"{each:#.3g}" for each in seconds] + [f"{each:.1f}" for each in ratios] + [rates])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="build/orepa_tool")
    parser.add_argument("--caffe", default="build/referees/bin/caffe_step")
    parser.add_argument("--models", default=",".join(sorted(path.parent.name for path in MODELS.glob("*/train_val.prototxt")
                                                            if path.parent.name not in LEFT_OUT)))
    parser.add_argument("--batch", type=int, default=16, help="at most")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=2)
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} before; {options.threads} threads, medians of {options.rounds} rounds of "
          f"{options.iterations} steps\n\n| model | batch | Caffe, seconds a step | orepa | orepa, BF16 | ratio | BF16 | "
          "GFLOP/s of the three |\n| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for model in options.models.split(","):
            path, batch = model_file(folder, model, options.batch)
            try:
                print(f"| {model} | {batch} | {row(options, path)} |", flush=True)
            except subprocess.CalledProcessError as error:
                print(f"| {model} | {batch} | {pathlib.Path(error.cmd[0]).name} ended with code {error.returncode} | | | | | |", flush=True)


if __name__ == "__main__":
    main()
