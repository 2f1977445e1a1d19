"""How W moves: plain kernels and those of OREPA, step by step, at points of a short training on glyphs.

    /usr/bin/python3 experiment/steps.py plain:0.3 orepa:0.3

trains each STYLE:RATE with snapshots along the way, goes on from each for a few steps at the rate of that point with a snapshot
a step, and prints, as means over all 3 x 3 convolutions,
  - |W| of an output channel, and the share of its square at the centre tap,
  - the angle by which a step turns it, in degrees: behind a BatchNorm nothing else of it matters,
  - the share of each branch b in W, <W_b, W> / |W|^2, and in a step, <dW_b, dW> / |dW|^2; both add up to 1.
What is trained already stands in OUTPUT/steps and is not trained again.
"""
import argparse
import math
import os

import numpy

import data_sets
import kernels
import net
import plan
import trial

EPOCH = math.ceil(100000 / net.BATCH)  # iterations
STEPS = 8
POINTS = 0.5, 1, 2, 3, 4, 4.5  # epochs


def train(programs, data, style, rate, folder):
    """For each point its epoch and the snapshots of STEPS + 1 iterations in a row."""
    of = trial.Trial(data.name, "report", style, plan.SHORT, rate, 1)
    os.makedirs(folder, exist_ok=True)
    solver = trial.write_solver(of, trial.write_net(programs, of, data, folder), folder)
    hdf5 = ["--progress", "none", "--set", "snapshot_keep=0", "--set", "snapshot_format=HDF5"]
    programs.call("train", "--solver", solver, "--run", f"{folder}/run", "--snapshot", "auto", *hdf5,
                  "--set", "snapshot_epoch=0.5")
    for point in POINTS:
        first = round(point * EPOCH)
        steps = [f"{folder}/{point:g}/weights_iter_{first + step}.caffemodel.h5" for step in range(1, STEPS + 1)]
        if not os.path.exists(steps[-1]):
            there = rate * (1 + math.cos(math.pi * point / plan.SHORT)) / 2
            programs.call("train", "--solver", solver, "--run", f"{folder}/{point:g}", "--overwrite", *hdf5,
                          "--snapshot", f"{folder}/run/weights_iter_{first}.solverstate.h5",
                          "--set", "lr_policy=fixed", "--set", f"base_lr={there}", "--set", "warmup_epoch=0",
                          "--set", "snapshot_epoch=0.0001", "--set", f"max_epoch={(first + STEPS) / EPOCH}")
        yield point, [f"{folder}/run/weights_iter_{first}.caffemodel.h5", *steps]


def rows(kernel):
    """A vector an output channel."""
    return kernel.reshape(len(kernel), -1)


def angles(before, after):
    """Between the kernels of each output channel, in degrees."""
    a, b = rows(before), rows(after)
    cosines = (a * b).sum(1) / numpy.linalg.norm(a, axis=1) / numpy.linalg.norm(b, axis=1)
    return numpy.degrees(numpy.arccos(numpy.clip(cosines, -1, 1)))


def shares(parts):
    whole = sum(parts.values())
    return {name: float((part * whole).sum() / (whole ** 2).sum()) for name, part in parts.items()}


def measure(snapshots):
    """Means over layers and steps."""
    read = [kernels.read(path) for path in snapshots]
    found = []
    for before, after in zip(read, read[1:]):
        for layer, parts in before.items():
            w, moved = sum(parts.values()), sum(after[layer].values())
            step = {name: after[layer][name] - part for name, part in parts.items()}
            found.append({"|W|": float(numpy.linalg.norm(rows(w), axis=1).mean()),
                          "centre": float((w[:, :, 1, 1] ** 2).sum() / (w ** 2).sum()),
                          "degrees": float(angles(w, moved).mean())}
                         | {f"{name} of W": share for name, share in shares(parts).items()}
                         | {f"{name} of a step": share for name, share in shares(step).items()})
    return {key: float(numpy.mean([one[key] for one in found])) for key in found[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="build/orepa_tool")
    parser.add_argument("--glyphs", default="build/data/glyphs", help="made by `make data-glyphs` (%(default)s)")
    parser.add_argument("--output", default="runs/experiment")
    parser.add_argument("trainings", nargs="+", metavar="STYLE:RATE")
    options = parser.parse_args()
    programs, data = trial.Programs(options.tool), data_sets.glyphs(options.glyphs)
    for training in options.trainings:
        style, rate = training.split(":")
        points = dict(train(programs, data, style, float(rate), f"{options.output}/steps/{style}.{rate}"))
        measured = {point: measure(snapshots) for point, snapshots in points.items()}
        print(f"\n| {style}, rate {rate}, after epochs | {' | '.join(f'{point:g}' for point in POINTS)} |")
        print(f"| --- |{' --- |' * len(POINTS)}")
        for key in measured[POINTS[0]]:
            print(f"| {key} | {' | '.join(f'{measured[point][key]:.3f}' for point in POINTS)} |", flush=True)


if __name__ == "__main__":
    os.nice(19)
    main()
