"""Two builds of orepa_tool beside each other: the training step and the planned memory of models of the zoo.

    python3 tools/compare.py BEFORE AFTER [--models resnet18/orepa,...]

Every round runs each program once on each model, as a process of its own; ratios are AFTER to BEFORE, taken round by round.
The order of the two changes from round to round, so that a machine that grows slower favours neither.
"""
import argparse
import os
import statistics
import tempfile

from bench import model_file, run


def zoo():
    return [f"{model}/{style}" for model in sorted(os.listdir("models")) if model != "fashion_mnist"
            for style in sorted(os.listdir(f"models/{model}"))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--models", help="MODEL/STYLE, with commas between; the whole zoo where not said")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=5)
    options = parser.parse_args()
    print(f"batch {options.batch}, {options.threads} threads, medians of {options.rounds} rounds of {options.iterations} steps, "
          f"load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.models.split(",") if options.models else zoo():
            model, style = name.split("/")
            arguments = ["time", "--model", model_file(folder, model, style, options.batch),
                         "--iterations", str(options.iterations), "--json"]
            rounds = []
            for i in range(options.rounds):
                tools = (options.before, options.after)
                results = {tool: run([tool] + arguments, options.threads) for tool in (tools if i % 2 else tools[::-1])}
                rounds.append([results[tool] for tool in tools])
            seconds = [statistics.median(pair[i]["median_seconds"] for pair in rounds) for i in (0, 1)]
            ratios = sorted(after["median_seconds"] / before["median_seconds"] for before, after in rounds)
            planned = [result["planned_bytes"] for result in rounds[-1]]
            print(f"{name:24} step {seconds[0]:.3f} -> {seconds[1]:.3f} s, {statistics.median(ratios):.3f} "
                  f"[{ratios[0]:.3f}, {ratios[-1]:.3f}]   planned {planned[0] / 2**20:.1f} -> {planned[1] / 2**20:.1f} MiB, "
                  f"{planned[1] / planned[0]:.4f}   waits {rounds[-1][1]['waits']:.0f}, launches {rounds[-1][1]['launches']:.0f} a step",
                  flush=True)


if __name__ == "__main__":
    main()
