"""A model on paper: the step of ResNet-50 OREPA on many GPUs, and what is saturated first.

    python3 tools/scaling_model.py [--gpus 8,64,1024] [--step 0.1] ...

A step is computing, which ranks do alike; a sum of gradients over all, of which what is not hidden by the backward pass counts; and
data, which come while it computes unless they are late. The sum is a ring's: each rank sends 2 (n - 1) / n of the gradients at the
speed of the slowest link, which is that of a node where n is within one, else a node's network divided by its GPUs, and every one of
its 2 (n - 1) steps costs a latency; a tree, of 2 log2(n) latencies, is taken where that is faster. Every constant is an option;
their defaults are of data sheets and of docs/performance.md, and say so.
"""
import argparse
import math

CONSTANTS = {  # name: value, unit, where it comes from
    "gradients": (25.6e6, "numbers", "ResNet-50's merged parameters; an ORepaConv sends W's gradient alone"),
    "number_bytes": (4, "bytes", "float32"),
    "batch": (256, "images a GPU", "the paper's"),
    "step": (0.125, "s", "not measured: 256 images at 2,050 images/s, between PyTorch's published 2,800 for a plain net on an H100 and 1.37 "
                         "times that step"),
    "backward": (0.6, "of a step", "share of the step in which gradients become complete one after another"),
    "gpus_a_node": (8, "", "usual"),
    "node_link": (200e9, "bytes/s", "NVLink 4, of 450e9 each way, as rings reach it"),
    "network": (200e9, "bytes/s a node", "four 400 Gbit/s adapters"),
    "latency": (5e-6, "s", "a hop of the network"),
    "image_bytes": (110e3, "bytes", "ImageNet's mean JPEG"),
    "storage": (20e9, "bytes/s for all", "a parallel file system"),
    "decoding": (600, "images/s a processor", "docs/performance.md, reading data"),
    "processors": (16, "a GPU", "usual"),
}


def sum_seconds(n, c):
    """Of all gradients over n ranks."""
    if n == 1:
        return 0
    size = c["gradients"] * c["number_bytes"]
    within = n <= c["gpus_a_node"]
    speed = c["node_link"] if within else min(c["node_link"], c["network"] / c["gpus_a_node"])
    ring = 2 * (n - 1) / n * size / speed + 2 * (n - 1) * c["latency"]
    tree = 2 * size / speed + 2 * math.log2(n) * c["latency"]
    return min(ring, tree)


def model(n, c):
    wire = sum_seconds(n, c)
    hidden = c["backward"] * c["step"]
    late = max(0, wire - hidden)
    images = c["batch"] * n
    times = {"computing": c["step"] + late, "storage": images * c["image_bytes"] / c["storage"],
             "decoding": c["batch"] / (c["decoding"] * c["processors"])}
    slowest = max(times, key=times.get)
    step = times[slowest]
    return {"images": images / step, "efficiency": c["step"] / step, "wire": wire, "hidden": hidden,
            "limit": slowest if step > c["step"] * 1.001 and not (slowest == "computing" and late == 0) else "-"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpus", default="1,8,16,64,256,1024")
    for name, (value, unit, source) in CONSTANTS.items():
        parser.add_argument("--" + name, type=float, default=value, help=f"{unit} [{value:g}]: {source}")
    options = vars(parser.parse_args())
    counts = [int(n) for n in options.pop("gpus").split(",")]
    print("| GPUs | images/s | efficiency | the sum takes | may be hidden | slower by |\n| --- | --- | --- | --- | --- | --- |")
    for n in counts:
        m = model(n, options)
        print(f"| {n:,} | {m['images']:,.0f} | {m['efficiency']:.2f} | {m['wire'] * 1e3:.1f} ms | {m['hidden'] * 1e3:.0f} ms | {m['limit']} |")


if __name__ == "__main__":
    main()
