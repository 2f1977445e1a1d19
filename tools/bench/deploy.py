"""Deploy nets of the zoo at batch 1 beside onnxruntime, which reads what `orepa_tool convert --to onnx` makes of them.

Every model gets random weights and is converted to both. A round runs each program once on each model, as a process or a
session of its own, with the same number of threads; milliseconds are medians over the rounds, the ratio is taken round by
round. Run it by the interpreter that has tests/referees/requirements.txt (make bench-deploy does).
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import onnxruntime

sys.path.insert(0, "tests/referees")
import nets  # noqa: E402

WARM_UP = 5


def session(onnx, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(onnx), options, providers=["CPUExecutionProvider"])


def theirs(net, threads, iterations):
    program = session(net.onnx, threads)
    seconds = []
    for _ in range(WARM_UP + iterations):
        start = time.perf_counter()
        program.run(None, net.inputs)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[WARM_UP:])


def ours(tool, net, threads, iterations):
    words = [tool, "time", "--model", net.prototxt, "--phase", "TEST", "--iterations", str(iterations), "--json"]
    done = subprocess.run(words, env=dict(os.environ, OMP_NUM_THREADS=str(threads)), stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)["median_seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="build/orepa_tool")
    parser.add_argument("--models", default="resnet18,resnet50,repvgg_a0,mobilenet_v1")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=30)
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} before; {options.threads} threads, medians of {options.rounds} rounds of "
          f"{options.iterations} images; onnxruntime {onnxruntime.__version__}\n\n"
          "| deploy net, batch 1 | orepa, ms | onnxruntime, ms | ratio |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for model in options.models.split(","):
            style = next(style for style in ("orepa", "orepa_vgg", "plain") if os.path.isdir(f"models/{model}/{style}"))
            net = nets.ConvertedNet(options.tool, f"models/{model}/{style}/train_val.prototxt", pathlib.Path(folder) / model)
            rounds = [(ours(options.tool, net, options.threads, options.iterations),
                       theirs(net, options.threads, options.iterations)) for _ in range(options.rounds)]
            us, them = (1e3 * statistics.median(column) for column in zip(*rounds))
            ratio = statistics.median(a / b for a, b in rounds)
            print(f"| {model} | {us:.1f} | {them:.1f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
