"""How W moves: plain kernels and those of OREPA, step by step, at points of a short training on glyphs.

    /usr/bin/python3 tools/experiment/steps.py plain:0.3 orepa:0.3

trains each STYLE:RATE with snapshots along the way, goes on from each for a few steps at the rate of that point with a snapshot
a step, and prints, as means over all 3 x 3 convolutions,
  - how long the kernel of an output channel is, and the share of the centre tap in the square of that,
  - the angle by which a step turns it, in degrees: behind a BatchNorm nothing else of it matters,
  - the share of each branch b in W, <W_b, W> / <W, W>, and in a step, <dW_b, dW> / <dW, dW>; both add up to 1;
  - the share of the scaling vectors in a step, those of all branches together.
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

STEPS = 8
CENTRE = numpy.pad([[1]], 1)  # the centre tap
POINTS = 0, 0.5, 1, 2, 3, 4, 4.5  # epochs


def train(programs, data, style, rate, folder):
    """For each point its epoch and the snapshots of STEPS + 1 iterations in a row; of the beginning, those behind the first."""
    of = trial.Trial(data.name, "report", style, plan.SHORT, rate, 1)
    os.makedirs(folder, exist_ok=True)
    solver = trial.write_solver(of, trial.write_net(programs, of, data, folder), folder)
    epoch = math.ceil(data_sets.count(data.report[0]) / net.BATCH)  # iterations

    def run(name, *flags):
        programs.call("train", "--solver", solver, "--run", f"{folder}/{name}", "--progress", "none",
                      "--set", "snapshot_keep=0", "--set", "snapshot_format=HDF5", *flags)

    def weights(name, iteration):
        return f"{folder}/{name}/weights_iter_{iteration}.caffemodel.h5"

    for point in POINTS:
        first = max(1, round(point * epoch))
        steps = [weights(f"{point:g}", first + step) for step in range(1, STEPS + 1)]
        if not os.path.exists(steps[-1]):
            if point > 0:
                run("whole", "--snapshot", "auto", "--set", "snapshot_epoch=0.5")
            there = rate * (1 + math.cos(math.pi * point / plan.SHORT)) / 2
            run(f"{point:g}", "--set", "lr_policy=fixed", "--set", f"base_lr={there}", "--set", "warmup_epoch=0",
                "--set", "snapshot_epoch=0.0001", "--set", f"max_epoch={(first + STEPS) / epoch}",
                *(["--snapshot", f"{folder}/whole/weights_iter_{first}.solverstate.h5"] if point > 0 else ["--overwrite"]))
        yield point, [weights("whole", first) if point > 0 else weights("0", first), *steps]


def rows(kernel):
    """A vector an output channel."""
    return kernel.reshape(len(kernel), -1)


def angles(before, after):
    """Between the kernels of each output channel, in degrees."""
    a, b = rows(before), rows(after)
    cosines = (a * b).sum(1) / numpy.linalg.norm(a, axis=1) / numpy.linalg.norm(b, axis=1)
    return numpy.degrees(numpy.arccos(numpy.clip(cosines, -1, 1)))


def share(part, whole):
    return float((part * whole).sum() / (whole ** 2).sum())


def contributions(branches):
    return {name: scale * kernel for name, (scale, kernel) in branches.items()}


def lies(branches):
    """What the kernel of one layer is made of."""
    parts = contributions(branches)
    w = sum(parts.values())
    return ({"length of W": float(numpy.linalg.norm(rows(w), axis=1).mean()), "centre of W": share(w * CENTRE, w)}
            | {f"{name} of W": share(part, w) for name, part in parts.items()})


def moves(before, after):
    """How it lies and moves in one step; both are its branches."""
    parts = contributions(before)
    steps = {name: part - parts[name] for name, part in contributions(after).items()}
    by_scales = sum((after[name][0] - scale) * kernel for name, (scale, kernel) in before.items())
    w, step = sum(parts.values()), sum(steps.values())
    return (lies(before) | {"degrees a step": float(angles(w, w + step).mean())}
            | {f"{name} of a step": share(part, step) for name, part in steps.items()}
            | {"scaling vectors of a step": share(by_scales, step)})


def means(found):
    return {key: float(numpy.mean([one[key] for one in found])) for key in found[0]}


def measure(snapshots):
    """Means over layers and steps."""
    read = [kernels.read(path) for path in snapshots]
    found = [moves(branches, after[layer]) for before, after in zip(read, read[1:]) for layer, branches in before.items()]
    return means(found)


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
