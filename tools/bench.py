"""A training step at 224 x 224 on the CPU: the styles of one model of the zoo, interleaved, and torchvision's resnet18.

PyTorch (`--pytorch`; `make bench` installs Debian's python3-torchvision) runs the plain resnet18. Every round runs each
program once, as a process of its own, with the same number of threads; the table holds medians over the rounds, and ratios
to the first row, taken round by round.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

PYTORCH = """
import json, resource, statistics, time, torch, torchvision
torch.set_num_threads(THREADS)
model = torchvision.models.resnet18().to(memory_format=torch.channels_last).train()
sgd = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)
x = torch.randn(BATCH, 3, 224, 224).to(memory_format=torch.channels_last)
t = torch.full((BATCH,), 7)
seconds = []
for i in range(ITERATIONS + 2):
    start = time.perf_counter()
    sgd.zero_grad(set_to_none=True)
    torch.nn.functional.cross_entropy(model(x), t).backward()
    sgd.step()
    seconds.append(time.perf_counter() - start)
print(json.dumps({"median_seconds": statistics.median(seconds[2:]),
                  "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
"""


STYLES = ("plain", "dbb", "repvgg", "orepa", "orepa_vgg")


def model_file(folder, model, style, batch):
    """models/MODEL/STYLE with another batch size, that of its DummyData."""
    with open(f"models/{model}/{style}/train_val.prototxt") as file:
        text, count = re.subn(r"(shape \{ dim: )16\b", rf"\g<1>{batch}", file.read())
    assert count > 0, f"no batch of 16 in models/{model}/{style}"
    path = os.path.join(folder, f"{style}_{batch}.prototxt")
    with open(path, "w") as file:
        file.write(text)
    return path


def run(command, threads):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tool", default="build/orepa_tool")
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--styles", help="in this order; all that the model has where not given")
    parser.add_argument("--pytorch", action="store_true", help="torchvision's plain resnet18 as the first row")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        commands = {}
        if options.pytorch:
            script = (PYTORCH.replace("BATCH", str(options.batch)).replace("THREADS", str(options.threads))
                      .replace("ITERATIONS", str(options.iterations)))
            commands["PyTorch plain"] = [sys.executable, "-c", script]
        styles = options.styles.split(",") if options.styles else [
            style for style in STYLES if os.path.isdir(f"models/{options.model}/{style}")]
        for style in styles:
            commands[style] = [options.tool, "time", "--model", model_file(folder, options.model, style, options.batch),
                               "--iterations", str(options.iterations), "--json"]
        results = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, command in commands.items():
                results[name].append(run(command, options.threads))
    report(options, results)


def report(options, results):
    print(f"{options.model}, batch {options.batch}, {options.threads} threads, medians of {options.rounds} rounds, "
          f"load {os.getloadavg()[0]:.1f}")
    first = next(iter(results))

    def median_ratio(name, other):
        pairs = zip(results[name], results[other])
        return statistics.median(a["median_seconds"] / b["median_seconds"] for a, b in pairs)

    def peak(name):
        return max(result["peak_bytes"] for result in results[name]) / 2**20

    for name, rounds in results.items():
        seconds = statistics.median(result["median_seconds"] for result in rounds)
        planned = f"   planned {rounds[-1]['planned_bytes'] / 2**20:6.0f}" if "planned_bytes" in rounds[-1] else ""
        print(f"{name:14} {seconds:7.3f} s a step   {median_ratio(name, first):5.2f} of {first}   "
              f"peak {peak(name):6.0f} MiB{planned}")
        if "layers" in rounds[-1]:
            last = rounds[-1]
            shares = (f"{stage} {100 * sum(layer[f'{stage}_seconds'] for layer in last['layers']) / last['profiled_seconds']:.1f} %"
                      for stage in ("forward", "backward", "prepare", "finish", "update"))
            print("    " + ", ".join(shares))
    styles = [name for name in results if name != "PyTorch plain"]
    for name in styles[1:-1]:
        last = styles[-1]
        print(f"{name} / {last}: time {median_ratio(name, last):.2f}, peak memory {peak(name) / peak(last):.2f}")
    if len(styles) > 1:
        print(f"{styles[-1]} / {styles[0]}: time {median_ratio(styles[-1], styles[0]):.3f}")


if __name__ == "__main__":
    main()
