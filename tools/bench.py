"""Training steps at 224 x 224 on the CPU, interleaved: the styles of one model of the zoo and their peers, as a table.

Programs have names, PROGRAM/STYLE/PRECISION[/MODE], which --programs chooses by patterns:

    orepa/orepa/bf16               `orepa_tool time`; bf16 is its --precision BF16
    pytorch1/plain/float32/eager   Debian's PyTorch: torchvision's net
    pytorch2/orepa/bf16/compiled   PyTorch of tools/bench/requirements.txt: torchvision's plain nets, and those of the
                                   published code (JUGGHM/OREPA_CVPR2022), a checkout of which OREPA_PUBLISHED names;
                                   bf16 is autocast, compiled is torch.compile

Every round runs each program once, as a process of its own, with the same number of threads; seconds are medians over the
rounds, ratios are taken round by round. The plain and the OREPA step that a step is divided by are of the same program,
precision and mode; its peer is the fastest PyTorch with the same net in the same precision.
"""
import argparse
import fnmatch
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from typing import NamedTuple

# Styles, and the models that PyTorch takes too, by the names that the published code gives them. RepVGG is not among them:
# the published code does not build its RepVGG blocks, and PyTorch 2.15 overwrites its heap in a step of OREPA_VGG.
BLOCKS = {"plain": "base", "dbb": "DBB", "repvgg": "RepVGG", "orepa": "OREPA", "orepa_vgg": "OREPA_VGG"}
ARCHITECTURES = {"resnet18": "ResNet-18", "resnet34": "ResNet-34", "resnet50": "ResNet-50", "resnet101": "ResNet-101",
                 "resnext50_32x4d": "ResNeXt-50"}
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}


class Program(NamedTuple):
    program: str
    style: str
    precision: str
    mode: str = ""

    @property
    def name(self):
        return "/".join(filter(None, self))

    def needs_published(self):
        return self.program == "pytorch2" and self.style != "plain"


def programs(model):
    """All that there are for a model, in the order of the table."""
    styles = [style for style in BLOCKS if os.path.isdir(f"models/{model}/{style}")]
    if model in ARCHITECTURES:
        yield Program("pytorch1", "plain", "float32", "eager")
    for precision in ("float32", "bf16"):
        if model in ARCHITECTURES:
            for style, mode in itertools.product(styles, ("eager", "compiled")):
                yield Program("pytorch2", style, precision, mode)
        for style in styles:
            yield Program("orepa", style, precision)


def chosen(options):
    patterns = options.programs.split(",")
    named = [program for program in programs(options.model)
             if any(fnmatch.fnmatch(program.name, pattern) for pattern in patterns)]
    there = [program for program in named if options.published or not program.needs_published()]
    if len(there) < len(named):
        print("OREPA_PUBLISHED names no checkout of JUGGHM/OREPA_CVPR2022, so these are left out: "
              + ", ".join(program.name for program in named if program not in there) + "\n")
    if not there:
        sys.exit(f"no program to run of {options.model}: --programs {options.programs}")
    return there


def model_file(folder, model, style, batch):
    """models/MODEL/STYLE with another batch size, that of its DummyData."""
    with open(f"models/{model}/{style}/train_val.prototxt") as file:
        text, count = re.subn(r"(shape \{ dim: )16\b", rf"\g<1>{batch}", file.read())
    assert count > 0, f"no batch of 16 in models/{model}/{style}"
    path = os.path.join(folder, f"{style}_{batch}.prototxt")
    with open(path, "w") as file:
        file.write(text)
    return path


def command(program, options, folder):
    if program.program == "orepa":
        words = [options.tool, "time", "--model", model_file(folder, options.model, program.style, options.batch),
                 "--iterations", str(options.iterations), "--json"]
        return words + ["--precision", "BF16"] if program.precision == "bf16" else words
    words = [sys.executable if program.program == "pytorch1" else options.pytorch2, "tools/bench/torch_step.py",
             "--precision", program.precision, "--mode", program.mode,
             "--batch", str(options.batch), "--iterations", str(options.iterations)]
    if program.needs_published():
        return words + ["--published", options.published, "--architecture", ARCHITECTURES[options.model],
                        "--blocks", BLOCKS[program.style]]
    return words + ["--torchvision", options.model]


def run(command, threads, **variables):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), **variables)
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="build/orepa_tool")
    parser.add_argument("--pytorch2", default="build/peers/bin/python", help="the interpreter that has it")
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--programs", default="orepa/*/float32", help="patterns with commas between")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--avx2", action="store_true", help="keep PyTorch and oneDNN to AVX2; --tool wants such a build")
    options = parser.parse_args()
    options.published = os.environ.get("OREPA_PUBLISHED")
    results = {program: [] for program in chosen(options)}
    print(f"{machine()}, load {os.getloadavg()[0]:.1f} before{', AVX2 alone' if options.avx2 else ''}; "
          f"{options.threads} threads, medians of {options.rounds} rounds of {options.iterations} steps; "
          f"orepa as of {commit(options.tool)}.\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            for program, rounds in results.items():
                rounds.append(run(command(program, options, folder), options.threads, **AVX2 if options.avx2 else {}))
    report(options, results)


def title(program, results):
    first = results[program][0]
    name = f"PyTorch {first['version']}" if "version" in first else program.program
    style = "plain" if program.style == "plain" else BLOCKS[program.style].replace("_", "-")
    return ", ".join(filter(None, (name, style) + program[2:]))


def report(options, results):
    seconds = {program: statistics.median(result["median_seconds"] for result in rounds)
               for program, rounds in results.items()}

    def ratio(program, other):
        if other == program or other not in results:
            return "–"
        pairs = zip(results[program], results[other])
        return f"{statistics.median(a['median_seconds'] / b['median_seconds'] for a, b in pairs):.2f}"

    def peer(program):
        peers = [other for other in results if program.program == "orepa" != other.program
                 and (other.style, other.precision) == (program.style, program.precision)]
        return min(peers, key=seconds.get, default=None)

    print(f"| {ARCHITECTURES.get(options.model, options.model)}, batch {options.batch} | seconds a step | of its plain step "
          "| of its OREPA step | of its peer's step | peak MiB of the process |\n| --- | --- | --- | --- | --- | --- |")
    for program, rounds in results.items():
        orepa = program._replace(style="orepa_vgg" if options.model.startswith("repvgg") else "orepa")
        peak = max(result["peak_bytes"] for result in rounds) / 2**20
        print(f"| {title(program, results)} | {seconds[program]:.3f} | {ratio(program, program._replace(style='plain'))} "
              f"| {ratio(program, orepa)} | {ratio(program, peer(program))} | {peak:.0f} |")
    print()
    for program, rounds in results.items():
        if program.program == "orepa":
            print(f"{title(program, results)}: {stages(rounds[-1])}")


def stages(result):
    shares = (sum(layer[f"{stage}_seconds"] for layer in result["layers"]) / result["profiled_seconds"]
              for stage in ("forward", "backward", "prepare", "finish", "update"))
    forward, backward, prepare, finish, update = (f"{100 * share:.1f} %" for share in shares)
    return (f"forward {forward}, backward {backward}, prepare {prepare}, finish {finish}, update {update}; "
            f"planned {result['planned_bytes'] / 2**20:.0f} MiB")


def machine():
    with open("/proc/cpuinfo") as file:
        fields = dict(re.findall(r"^(model name|cpu family|model)\s*: (.*)", file.read(), re.MULTILINE))
    name = fields.pop("model name", "a processor without a name")
    return ", ".join([name] + [f"{field} {value}" for field, value in fields.items()] + [f"{os.cpu_count()} cores"])


def commit(tool):
    """That of the tree which the tool was built in."""
    words = ["git", "-C", os.path.dirname(tool) or ".", "describe", "--always", "--dirty"]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout.strip() or f"{tool}, of no git tree"


if __name__ == "__main__":
    main()
