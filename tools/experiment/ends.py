"""What W is made of when a training has ended: the choice's trainings on glyphs from the first seed, plain and with OREPA.

    /usr/bin/python3 tools/experiment/ends.py --output runs/experiment

prints, as means over all 3 x 3 convolutions, how long the kernel of an output channel is, and the shares of the centre tap and of
each branch in W, as steps.py does.
"""
import argparse
import os
import tempfile

import kernels
import plan
import steps
import styles
import trial


def last(programs, folder):
    """The kernels of a training's last weights, which are HDF5 for kernels.py once a training of no length has saved them."""
    with tempfile.TemporaryDirectory() as hdf5:
        programs.call("train", "--solver", f"{folder}/solver.prototxt.in", "--weights", f"{folder}/weights_latest.caffemodel",
                      "--run", hdf5, "--progress", "none", "--set", "max_epoch=0", "--set", "warmup_epoch=0",
                      "--set", "snapshot_format=HDF5")
        return kernels.read(f"{hdf5}/weights_iter_0.caffemodel.h5")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="build/orepa_tool")
    parser.add_argument("--output", default="runs/experiment")
    options = parser.parse_args()
    programs, results = trial.Programs(options.tool), trial.read_results(f"{options.output}/results.jsonl")
    names = ["length of W", "centre of W", *(f"{branch} of W" for branch in styles.BRANCHES)]
    print(f"| style, rate | {' | '.join(names)} |\n|{' --- |' * (1 + len(names))}")
    for of in (plan.choice("glyphs", style, rate)[0] for style in plan.CHEAP for rate in plan.RATES):
        if of in results:
            branches = last(programs, f"{options.output}/{of.name()}").values()
            mean = steps.means([steps.lies(layer) for layer in branches])
            print(f"| {of.style}, {of.rate:g} | {' | '.join(f'{mean[name]:.3f}' if name in mean else '' for name in names)} |",
                  flush=True)


if __name__ == "__main__":
    os.nice(19)
    main()
