"""ResNet-18 at 224 x 224 on the CPU: orepa's plain and OREPA step beside torchvision's plain one, interleaved.

Needs Debian's python3-torchvision (`make bench` installs it). Every round runs each program once, as a process of its own,
with the same number of threads; the table holds medians over the rounds, and ratios to PyTorch's plain step.
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


def model_file(folder, style, batch):
    """models/resnet18/STYLE with another batch size."""
    with open(f"models/resnet18/{style}/train_val.prototxt") as file:
        text = re.sub(r"dim: 16\b", f"dim: {batch}", file.read())
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
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=5)
    options = parser.parse_args()
    script = (PYTORCH.replace("BATCH", str(options.batch)).replace("THREADS", str(options.threads))
              .replace("ITERATIONS", str(options.iterations)))
    with tempfile.TemporaryDirectory() as folder:
        commands = {"PyTorch plain": [sys.executable, "-c", script]}
        for style in ("plain", "orepa"):
            commands[f"orepa_tool {style}"] = [
                options.tool, "time", "--model", model_file(folder, style, options.batch),
                "--iterations", str(options.iterations), "--json"]
        results = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, command in commands.items():
                results[name].append(run(command, options.threads))
    print(f"batch {options.batch}, {options.threads} threads, medians of {options.rounds} rounds, "
          f"load {os.getloadavg()[0]:.1f}")
    pytorch = [result["median_seconds"] for result in results["PyTorch plain"]]
    for name, rounds in results.items():
        seconds = [result["median_seconds"] for result in rounds]
        ratio = statistics.median(s / p for s, p in zip(seconds, pytorch))
        peak = max(result["peak_bytes"] for result in rounds) / 2**20
        print(f"{name:18} {statistics.median(seconds):7.3f} s a step   {ratio:5.2f} of PyTorch plain"
              f"   peak {peak:6.0f} MiB")
        if "layers" in rounds[-1]:
            last = rounds[-1]
            for stage in ("forward", "backward", "prepare", "finish", "update"):
                part = sum(layer[f"{stage}_seconds"] for layer in last["layers"])
                print(f"    {stage:9} {100 * part / last['profiled_seconds']:5.1f} %")


if __name__ == "__main__":
    main()
