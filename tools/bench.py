"""Training steps at 224 x 224, interleaved: the styles of a model of the zoo and their peers, as a table a batch size.

Programs have names, PROGRAM/STYLE/PRECISION[/MODE], which --programs chooses by patterns:

    orepa/orepa/bf16               `orepa_tool time`; bf16 is its --precision BF16
    pytorch1/plain/float32/eager   Debian's PyTorch: torchvision's net
    pytorch2/orepa/bf16/compiled   PyTorch of tools/bench/requirements.txt: torchvision's plain nets, and those of the
                                   published code (JUGGHM/OREPA_CVPR2022), a checkout of which OREPA_PUBLISHED names;
                                   bf16 is autocast, compiled is torch.compile
    orepa/plain/tf32               on a GPU: float32 whose products may round their factors to TF32, for PyTorch, too

Every round runs each program once, as a process of its own, with the same number of threads; seconds are medians over the
rounds, ratios are taken round by round. The plain and the OREPA step that a step is divided by are of the same program,
precision and mode; its peer is the fastest PyTorch with the same net in the same precision.

--gpu stands for --device cuda:0 --model resnet18,resnet50 --batch 256,64 --iterations 20 --rounds 3 --targets and all
programs but Debian's PyTorch; what else is said counts. On a GPU, cuDNN may time its algorithms for PyTorch
(cudnn.benchmark), memory is that of the GPU, for orepa what it plans, for PyTorch the most that tensors held, and a second
table tells how fast the loops are that only move memory, by the least that they have to read and write.
"""
import argparse
import collections
import datetime
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
GPU = {"device": "cuda:0", "model": "resnet18,resnet50", "batch": "256,64", "iterations": 20, "rounds": 3, "targets": True,
       "programs": "pytorch2/*,orepa/*"}
# What is aimed at on a GPU: our step of this style, of which other one, the most that it may take of that, from which batch on.
TARGETS = (("plain", "peer", 1.00, 1), ("orepa", "plain", 1.10, 256), ("orepa", "peer", 0.60, 1))
# Layers whose loops only move memory. Fewer bytes than these stay in a GPU's cache, or take no longer than a launch.
MOVERS = ("BatchNorm", "Scale", "ReLU", "Eltwise", "Pooling")
LEAST_MOVED = 64 << 20
LEAST_SPEED = 0.80  # of a copy's: what is aimed at
UPDATE_MOVES = 20  # bytes a parameter: weight and history, read and written, and gradient, read
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


def programs(model, on_gpu):
    """All that there are for a model, in the order of the table."""
    styles = [style for style in BLOCKS if os.path.isdir(f"models/{model}/{style}")]
    if model in ARCHITECTURES and not on_gpu:
        yield Program("pytorch1", "plain", "float32", "eager")
    for precision in ("float32", "tf32", "bf16") if on_gpu else ("float32", "bf16"):
        if model in ARCHITECTURES:
            for style, mode in itertools.product(styles, ("eager", "compiled")):
                yield Program("pytorch2", style, precision, mode)
        for style in styles:
            yield Program("orepa", style, precision)


def chosen(options):
    patterns = options.programs.split(",")
    named = [program for program in programs(options.model, options.device != "cpu")
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
                 "--iterations", str(options.iterations), "--device", options.device, "--json"]
        return words + {"float32": [], "tf32": ["--tf32"], "bf16": ["--precision", "BF16"]}[program.precision]
    words = [sys.executable if program.program == "pytorch1" else options.pytorch2, "tools/bench/torch_step.py",
             "--device", options.device, "--precision", program.precision, "--mode", program.mode,
             "--batch", str(options.batch), "--iterations", str(options.iterations)]
    if program.needs_published():
        return words + ["--published", options.published, "--architecture", ARCHITECTURES[options.model],
                        "--blocks", BLOCKS[program.style]]
    return words + ["--torchvision", options.model]


def run(command, threads, **variables):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), **variables)
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="build/orepa_tool")
    parser.add_argument("--pytorch2", default="build/peers/bin/python", help="the interpreter that has it")
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--device", default="cpu", help="of all programs: cpu, or cuda:0, cuda:1, ...")
    parser.add_argument("--model", default="resnet18", help="one, or several with commas between")
    parser.add_argument("--programs", default="orepa/*/float32", help="patterns with commas between")
    parser.add_argument("--batch", default="16", help="one, or several with commas between")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--avx2", action="store_true", help="keep PyTorch and oneDNN to AVX2; --tool wants such a build")
    parser.add_argument("--targets", action="store_true", help="print what is aimed at on a GPU, and whether it is met")
    parser.add_argument("--json", help="file for all results, written after every program that ran")
    if parser.parse_args().gpu:
        parser.set_defaults(**GPU)
    options = parser.parse_args()
    options.published = os.environ.get("OREPA_PUBLISHED")
    return options


def main():
    options = arguments()
    record = {"date": f"{datetime.date.today()}", "machine": machine(), "device": devices(options),
              "orepa": commit(options.tool), "threads": options.threads, "iterations": options.iterations, "tables": []}
    print(f"{record['machine']}, load {os.getloadavg()[0]:.1f} before{', AVX2 alone' if options.avx2 else ''}; "
          f"{options.threads} threads, medians of {options.rounds} rounds of {options.iterations} steps; "
          f"orepa as of {record['orepa']}; {record['date']}.\n")
    if record["device"]:
        print("".join(f"    {line}\n" for line in record["device"]))
    sys.stdout.flush()
    failed = []
    for model, batch in itertools.product(options.model.split(","), options.batch.split(",")):
        case = argparse.Namespace(**{**vars(options), "model": model, "batch": int(batch)})
        failed += measure(case, record)
    if failed:
        sys.exit("failed, and in no table: " + ", ".join(failed))


def measure(options, record):
    """Prints the table of one model and batch, which `record` gets, too. Programs that failed."""
    results = {program: [] for program in chosen(options)}
    table = {"model": options.model, "batch": options.batch, "results": {program.name: results[program] for program in results}}
    record["tables"].append(table)
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            for program in list(results):
                try:
                    result = run(command(program, options, folder), options.threads, **AVX2 if options.avx2 else {})
                except subprocess.CalledProcessError as error:
                    print(f"{program.name} failed with exit code {error.returncode}\n", file=sys.stderr, flush=True)
                    failed.append(f"{program.name} of {options.model} at batch {options.batch}")
                    del results[program], table["results"][program.name]
                    continue
                results[program].append(result)
                if options.json:
                    with open(options.json, "w") as file:
                        json.dump(record, file, indent=1)
    report(options, results)
    return failed


def title(program, results):
    first = results[program][0]
    name = f"PyTorch {first['version']}" if "version" in first else program.program
    style = "plain" if program.style == "plain" else BLOCKS[program.style].replace("_", "-")
    return ", ".join(filter(None, (name, style) + program[2:]))


def report(options, results):
    on_gpu = options.device != "cpu"
    seconds = {program: statistics.median(result["median_seconds"] for result in rounds)
               for program, rounds in results.items()}

    def ratio(program, other):
        """Of two programs' steps, None where one was not run."""
        if other == program or program not in results or other not in results:
            return None
        pairs = zip(results[program], results[other])
        return statistics.median(a["median_seconds"] / b["median_seconds"] for a, b in pairs)

    def cell(program, other):
        value = ratio(program, other)
        return "–" if value is None else f"{value:.2f}"

    def peer(program):
        peers = [other for other in results if program.program == "orepa" != other.program
                 and (other.style, other.precision) == (program.style, program.precision)]
        return min(peers, key=seconds.get, default=None)

    print(f"| {ARCHITECTURES.get(options.model, options.model)}, batch {options.batch} | seconds a step | of its plain step "
          f"| of its OREPA step | of its peer's step | {'MiB of the GPU' if on_gpu else 'peak MiB of the process'} |\n"
          "| --- | --- | --- | --- | --- | --- |")
    for program, rounds in results.items():
        orepa = program._replace(style="orepa_vgg" if options.model.startswith("repvgg") else "orepa")
        of_memory = "planned_bytes" if on_gpu and program.program == "orepa" else "peak_bytes"
        peak = max(result[of_memory] for result in rounds) / 2**20
        print(f"| {title(program, results)} | {seconds[program]:#.4g} | {cell(program, program._replace(style='plain'))} "
              f"| {cell(program, orepa)} | {cell(program, peer(program))} | {peak:.0f} |")
    print()
    for program, rounds in results.items():
        if program.program == "orepa":
            print(f"{title(program, results)}: {stages(rounds[-1])}")
    if on_gpu:
        print()
        for libraries in sorted({result["libraries"] for rounds in results.values() for result in rounds if "libraries" in result}):
            print(libraries)
        report_traffic(options, results)
    if options.targets:
        print()
        for (style, of, limit, batch), precision in itertools.product(TARGETS, ("float32", "tf32", "bf16")):
            program = Program("orepa", style, precision)
            other = peer(program) if of == "peer" else program._replace(style=of)
            value = ratio(program, other)
            if value is not None and options.batch >= batch:
                print(f"target: {program.name} {value:.2f} of {other.name}, at most {limit:.2f}: "
                      f"{'met' if value <= limit else 'missed'}")
    print(flush=True)


def traffic(result):
    """Bytes that loops moved and the seconds that they took, by type of layer and stage."""
    moved = collections.defaultdict(lambda: [0, 0.0])

    def add(loops, size, seconds):
        if size >= LEAST_MOVED:
            moved[loops][0] += size
            moved[loops][1] += seconds

    for layer in result["layers"]:
        add("update", UPDATE_MOVES * layer["parameters"], layer["update_seconds"])
        if layer["type"].split(" + ")[0] not in MOVERS:
            continue
        # Batch statistics, and the sums of the backward pass, come first: what a BatchNorm reads, it reads twice.
        reads = 2 if layer["type"].startswith("BatchNorm") else 1
        for stage in ("forward", "backward"):
            if layer[f"{stage}_calls"]:
                add(f"{layer['type']}, {stage}", reads * layer[f"{stage}_read_bytes"] + layer[f"{stage}_written_bytes"],
                    layer[f"{stage}_seconds"] / layer[f"{stage}_calls"])
    return moved


def report_traffic(options, results):
    """GB/s of orepa's programs, and of a copy's speed where PyTorch has measured that."""
    copies = [result["copy_bytes_per_second"] for rounds in results.values() for result in rounds
              if "copy_bytes_per_second" in result]
    copy = max(copies, default=None)
    moved = {program: traffic(rounds[-1]) for program, rounds in results.items() if program.program == "orepa"}
    shares = {}

    def cell(program, loops):
        if loops not in moved[program]:
            return "–"
        size, seconds = moved[program][loops]
        if not copy:
            return f"{size / seconds / 1e9:.0f}"
        shares[f"{loops} of {program.name}"] = size / seconds / copy
        return f"{size / seconds / 1e9:.0f}, {size / seconds / copy:.2f}"

    print(f"\n| GB/s{f', of the {copy / 1e9:.0f} of a copy' if copy else ''} | "
          + " | ".join(title(program, results) for program in moved) + " |\n| --- |" + " --- |" * len(moved))
    for loops in sorted(set(itertools.chain(*moved.values()))):
        print(f"| {loops} | " + " | ".join(cell(program, loops) for program in moved) + " |")
    if options.targets and shares:
        slow = [f"{name} {share:.2f}" for name, share in shares.items() if share < LEAST_SPEED]
        print(f"\ntarget: these loops at least {LEAST_SPEED:.2f} of a copy's speed: "
              + ("missed: " + "; ".join(slow) if slow else "met"))


def stages(result):
    shares = (sum(layer[f"{stage}_seconds"] for layer in result["layers"]) / result["profiled_seconds"]
              for stage in ("forward", "backward", "prepare", "finish", "update"))
    forward, backward, prepare, finish, update = (f"{100 * share:.1f} %" for share in shares)
    return (f"forward {forward}, backward {backward}, prepare {prepare}, finish {finish}, update {update}; "
            f"planned {result['planned_bytes'] / 2**20:.0f} MiB")


def devices(options):
    """What the tool says of the GPU, its driver and its libraries."""
    if options.device == "cpu":
        return []
    said = subprocess.run([options.tool, "device_query"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    if not any(line.split()[0] == options.device for line in said):
        sys.exit(f"there is no {options.device} here; {options.tool} device_query says why")
    return [line for line in said if re.match(f"CUDA |  driver|  libraries|  {options.device} ", line)] + driver()


def driver():
    """The driver's own version, which CUDA does not tell."""
    try:
        words = ["nvidia-smi", "--query-gpu=index,name,driver_version", "--format=csv,noheader"]
        return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return ["nvidia-smi does not tell the driver's version"]


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
