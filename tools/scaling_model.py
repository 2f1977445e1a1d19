"""A model on paper: a step of ResNet-50 OREPA on many GPUs, and what is full first.

    python3 tools/scaling_model.py [--gpus 8,64,1024] [--data local] [--whole_batch 8192] ...

A step is computing, which all GPUs do alike; sums of gradients over all of them, piece by piece while the backward pass goes on, of
which only what it does not hide counts; and data, which come meanwhile unless they are late. Every constant is an option, and says
where its value is from: measured (a page of docs), published, counted, aimed at (a goal of this project), or assumed. docs/scaling.md
has what comes of it.
"""
import argparse
import math
from collections import namedtuple

CONSTANTS = {  # name: value, unit, where it is from
    "batch": (256, "images a GPU", "assumed: the whole batch grows with the GPUs"),
    "plain_speed": (2470, "images/s a GPU", "published: ResNet-50 v1.5 without OREPA, mixed precision, one A100 (NVIDIA's "
                    "DeepLearningExamples, PyTorch); not measured with orepa"),
    "kernels": (10.4, "ms a step", "aimed at: what OREPA adds, whatever the batch; a tenth of the plain step at 256 (docs/gpu.md); not "
                "measured"),
    "backward": (0.67, "of plain computing", "measured on a CPU: 59 of 88 %, ResNet-18 OREPA, batch 64 (docs/performance.md)"),
    "gradients": (25.557e6, "numbers", "counted: 102,228,000 bytes a step, says `mpirun -np 2 orepa_tool time` of resnet50/orepa"),
    "number": (4, "bytes", "counted: float32; 2 with sum_precision: BF16"),
    "piece": (2 ** 20, "numbers", "counted: 4 MiB of float32 (docs/scaling.md)"),
    "machine": (8, "GPUs", "published: DGX A100"),
    "machine_link": (235e9, "bytes/s a GPU, each way", "published: what NCCL expects of A100s at most (its tuning.cc); the data sheet says "
                     "300e9"),
    "machine_hop": (1.9, "us", "published: NCCL's tuning.cc, NVLink, LL128"),
    "network": (160e9, "bytes/s a machine, each way", "published: 8 InfiniBand adapters of 200 Gbit/s (DGX A100), of which 80 % is assumed"),
    "network_hop": (4.0, "us", "published: NCCL's tuning.cc, network, ring, LL128"),
    "tree_hop": (8.5, "us", "published: NCCL's tuning.cc, network, tree, LL128"),
    "start": (10, "us a sum", "published: NCCL's tuning.cc, LL128"),
    "image": (110e3, "bytes", "assumed for ImageNet; those that were decoded had 108e3 (docs/performance.md)"),
    "storage": (20e9, "bytes/s for all", "assumed: a parallel file system"),
    "disk": (5e9, "bytes/s a machine", "assumed: an NVMe disk"),
    "decoding": (964, "images/s a thread", "measured: small photographs, AMD Zen 4 (docs/performance.md)"),
    "threads": (12, "a GPU", "assumed: of the 16 processors a GPU of a DGX A100"),
    "norms": (53, "BatchNorms", "counted: ResNet-50's, for --sync_statistics"),
    "channels": (26560, "of all BatchNorms", "counted: ResNet-50's, for --sync_statistics"),
}
SMALL_SUMS = 2  # a step: of the losses, and of who wants to stop
SOURCES = {"shared": "file system", "local": "disks"}
MOST_GPUS = 2 ** 16  # that are tried for what is full first

Sum = namedtuple("Sum", "way links latency")  # seconds
# Seconds; `loads`: of each of "sums", "data" and "decoding", the share of the time there is for it.
Step = namedtuple("Step", "images computing sums late statistics data decoding seconds speed efficiency loads")


def ways(size, gpus, c):
    """How `size` bytes of each GPU may be added up over all."""
    if gpus == 1:
        return [Sum("none", 0, 0)]
    local = min(gpus, c.machine)
    machines = gpus / local
    within = 2 * (local - 1) / local * size / c.machine_link
    wait = c.start + 2 * (local - 1) * c.machine_hop
    if machines == 1:
        return [Sum("ring", within, wait * 1e-6)]
    # One ring: every part goes twice through all GPUs, and at the same speed through as many adapters as there are.
    ring = Sum("ring", 2 * (gpus - 1) / gpus * size / min(c.machine_link, c.network),
               (c.start + 2 * ((gpus - machines) * c.machine_hop + (machines - 1) * c.network_hop)) * 1e-6)
    # Within each machine, so that each of its GPUs has a part of the sum; then a ring, or a tree, of machines for each part.
    of_machines = Sum("machines", within + 2 * (machines - 1) / machines * size / c.network,
                      (wait + 2 * (machines - 1) * c.network_hop) * 1e-6)
    tree = Sum("tree", within + 2 * size / c.network, (wait + 2 * math.ceil(math.log2(machines)) * c.tree_hop) * 1e-6)
    return [ring, of_machines, tree]


def sum_of(size, gpus, c):
    """The way that was asked for, where there are several, or the fastest."""
    possible = ways(size, gpus, c)
    asked = [way for way in possible if way.way == c.way]
    return min(asked or possible, key=seconds_of)


def seconds_of(way):
    return way.links + way.latency


def not_hidden(piece, pieces, backward):
    """What is left of `pieces` sums, one after another, behind a backward pass that makes a piece every `backward` / `pieces`."""
    return max(piece, pieces * piece - (pieces - 1) / pieces * backward)


def statistics_seconds(gpus, c):
    """Of all BatchNorms: a sum of two float64 a channel forward, one of two float32 backward."""
    channels = c.channels / c.norms
    return c.norms * sum(seconds_of(sum_of(channels * bytes_a_channel, gpus, c)) for bytes_a_channel in (2 * 8, 2 * 4))


def step(gpus, c):
    images = c.whole_batch / gpus if c.whole_batch else c.batch
    plain = images / c.plain_speed
    computing = plain + c.kernels * 1e-3

    pieces = math.ceil(c.gradients / c.piece)
    piece = sum_of(c.gradients * c.number / pieces, gpus, c)
    sums = pieces * seconds_of(piece)
    late = not_hidden(seconds_of(piece), pieces, c.backward * plain) + SMALL_SUMS * seconds_of(sum_of(8, gpus, c))
    statistics = statistics_seconds(gpus, c) if c.sync_statistics else 0

    if c.data == "shared":
        data = gpus * images * c.image / c.storage
    else:
        data = min(gpus, c.machine) * images * c.image / c.disk
    decoding = images / (c.decoding * c.threads)

    seconds = max(computing + late + statistics, data, decoding)
    speed = gpus * images / seconds
    alone = c.batch / (c.batch / c.plain_speed + c.kernels * 1e-3)
    loads = {"sums": sums / (c.backward * plain), "data": data / computing, "decoding": decoding / computing}
    efficiency = speed / (gpus * alone)
    return Step(images, computing, sums, late, statistics, data, decoding, seconds, speed, efficiency, loads)


def name_of(kind, gpus, c):
    if kind == "sums":
        piece = sum_of(c.piece * c.number, gpus, c)
        return "links" if piece.links > piece.latency else "latency"
    return SOURCES[c.data] if kind == "data" else kind


def most_gpus(c):
    return min(MOST_GPUS, c.whole_batch or MOST_GPUS)


def full_from(kind, c):
    """The fewest GPUs, of whole machines, that fill it; None where most_gpus() do not."""
    return next((gpus for gpus in range(c.machine, most_gpus(c) + 1, c.machine) if step(gpus, c).loads[kind] >= 1), None)


def table(counts, c):
    milliseconds = ["computing", "sums", "late", "statistics", "data", "decoding", "seconds"]
    heads = ["computing", "all sums", "not hidden", "BatchNorms", SOURCES[c.data], "decoding", "step"]
    if not c.sync_statistics:
        milliseconds.remove("statistics")
        heads.remove("BatchNorms")
    rows = [["GPUs", "images a GPU", *(f"{head}, ms" for head in heads), "images/s", "efficiency", "fullest"]]
    rows.append(["---"] * len(rows[0]))
    for gpus in counts:
        s = step(gpus, c)
        fullest = max(s.loads, key=s.loads.get)
        rows.append([f"{gpus:,}", f"{s.images:,g}", *(f"{getattr(s, name) * 1e3:.1f}" for name in milliseconds), f"{s.speed:,.0f}",
                     f"{s.efficiency:.2f}", f"{name_of(fullest, gpus, c)}, {100 * s.loads[fullest]:.0f} %"])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def summary(c):
    first = {kind: full_from(kind, c) for kind in ("sums", "data", "decoding")}
    full = sorted((gpus, name_of(kind, gpus, c)) for kind, gpus in first.items() if gpus)
    room = [kind if kind == "sums" else name_of(kind, c.machine, c) for kind, gpus in first.items() if not gpus]
    said = ["Full: " + (", then ".join(f"{name} from {gpus:,} GPUs on" for gpus, name in full) or "nothing") + "."]
    if room:
        said.append(f"Not full up to {most_gpus(c):,} GPUs: {', '.join(room)}.")
    return " ".join(said)


def numbers(text):
    return [int(number) for number in text.split(",")]


def arguments(given):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpus", type=numbers, default="8,16,32,64,128,256,512,1024", help="with commas between [%(default)s]")
    parser.add_argument("--data", choices=SOURCES, default="shared", help="on one file system, or on every machine [%(default)s]")
    parser.add_argument("--whole_batch", type=int, help="images of all GPUs, instead of --batch for each")
    parser.add_argument("--sync_statistics", action="store_true", help="the sums of BatchNorms count, too")
    parser.add_argument("--way", choices=("fastest", "ring", "machines", "tree"), default="fastest",
                        help="of a sum: a ring of all GPUs; within machines, then a ring or a tree of machines [%(default)s]")
    for name, (value, unit, source) in CONSTANTS.items():
        parser.add_argument(f"--{name}", type=type(value) if name == "machine" else float, default=value,
                            help=f"{unit} [{value:.6g}]; {source.replace('%', '%%')}")
    c = parser.parse_args(given)
    for gpus in c.gpus:
        if gpus < 1 or (gpus > c.machine and gpus % c.machine):
            parser.error(f"--gpus {gpus}: expected at most a machine's {c.machine}, or a multiple of it")
        if c.whole_batch and gpus > c.whole_batch:
            parser.error(f"--gpus {gpus}: a batch of {c.whole_batch} leaves some without an image")
    return c


def main(given=None):
    c = arguments(given)
    print(table(c.gpus, c))
    print("\n" + summary(c))


if __name__ == "__main__":
    main()
