"""Shows converted nets to other people's programs: each has to load the files and to compute what orepa_tool computes.

    check.py --tool build/orepa_tool --folder build/referees --readers opencv_caffe,onnx_checker models/*/*/train_val.prototxt
"""

import argparse
import pathlib
import re
import shutil
import sys

import numpy

import nets
from readers import READERS

# Relative to the largest number of an output. Float32 rounds to 6e-8; the order of operations and Winograd
# convolutions make some 1e-6 to 1e-5 of that in a net of 100 layers.
TOLERANCE = 1e-4


def error(expected, got):
    if got.squeeze().shape != expected.squeeze().shape:
        raise ValueError(f"its output is {got.shape}, not {expected.shape}")
    if not numpy.isfinite(got).all():
        raise ValueError("it computes numbers that are not finite")
    return numpy.abs(expected.squeeze().astype("float64") - got.squeeze()).max() / numpy.abs(expected).max()


def check(net, reader):
    """The largest error of an output, and which one that is; 0 of a reader that computes nothing."""
    outputs = reader(net)
    if outputs is None:
        return 0, ""
    if outputs.keys() != net.outputs.keys():
        raise ValueError(f"its outputs are {sorted(outputs)}, not {sorted(net.outputs)}")
    return max((error(net.outputs[blob], values), blob) for blob, values in outputs.items())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", required=True, type=pathlib.Path)
    parser.add_argument("--folder", required=True, type=pathlib.Path, help="for converted files; they stay where something fails")
    parser.add_argument("--readers", required=True, help=", ".join(READERS))
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    failed = passed = 0
    for model in options.models:
        excused = dict(re.findall(r"^# not for (\w+): (.*)", model.read_text(), re.MULTILINE))
        folder = options.folder / model.parent.parent.name / model.parent.name / model.stem
        try:
            net = nets.ConvertedNet(options.tool, model, folder)
        except RuntimeError as reason:
            print(f"FAILED            {model}: {reason}", flush=True)
            failed += 1
            continue
        for name in options.readers.split(","):
            if name in excused:
                print(f"left out          {name:12} {model}: {excused[name]}", flush=True)
                continue
            try:
                worst, blob = check(net, READERS[name])
                equal = worst <= TOLERANCE
                print(f"{'equal' if equal else 'DIFFERS':8} {worst:.1e}  {name:12} {model}  {blob}", flush=True)
            except Exception as reason:  # whatever a reader raises is its verdict
                print(f"FAILED            {name:12} {model}: {reason}", flush=True)
                equal = False
            passed, failed = passed + equal, failed + (not equal)
        if failed == 0:
            shutil.rmtree(folder)  # a large model takes a gigabyte
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
