"""Each type of layer beside PyTorch's operation of the same name and shape: forward and backward, as a table.

The cases are those of tools/bench/layer_cases.py. Every round asks each program once about each case, with the same number of
threads, and the order of the two changes from round to round: tools/bench/layers.cpp with a net of that layer alone (behind a
source and a Scale, so that there is a gradient to be wanted), and tools/bench/torch_layers.py, with NCHW and with channels_last, of
which the faster counts. Milliseconds are those of the fastest pass of all: what else a machine does only ever adds to them.
The ratio is of forward and backward together.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, "tools/bench")
from layer_cases import CASES  # noqa: E402


def shape_text(shape):
    return "shape { " + " ".join(f"dim: {extent}" for extent in shape) + " }"


def net(case):
    """A prototxt, in which the layer is called `case`."""
    kind, _, message = case.layer.partition(" ")
    lines, bottoms = [], []
    for i, shape in enumerate(case.shapes):
        labels = case.labels and i == len(case.shapes) - 1
        # All are of one class: no filler makes whole numbers.
        filler = f'type: "constant" value: {case.labels - 1}' if labels else f'type: "uniform" min: {case.low} max: 1'
        lines.append(f'layer {{ name: "source{i}" type: "DummyData" top: "source{i}" dummy_data_param {{ {shape_text(shape)} '
                     f'data_filler {{ {filler} }} }} }}')
        bottoms.append(f"source{i}")
        if not labels:
            lines.append(f'layer {{ name: "learned{i}" type: "Scale" bottom: "source{i}" top: "learned{i}" '
                         f'scale_param {{ num_axes: 0 }} }}')
            bottoms[i] = f"learned{i}"
    tops = 2 if kind in ("Slice", "Split") else 1
    words = "".join(f' bottom: "{bottom}"' for bottom in bottoms) + "".join(f' top: "top{i}"' for i in range(tops))
    if not case.forward:
        words += " loss_weight: 1" * tops
    lines.append(f'layer {{ name: "case" type: "{kind}"{words} {message} }}')
    return "\n".join(lines)


class Program:
    """One that answers each line with a line."""
    def __init__(self, words, threads):
        self.words = words
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OMP_WAIT_POLICY="passive")
        self.process = subprocess.Popen(words, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.words[0]} ended early")
        return line.strip()

    def ask(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        return json.loads(self.line())


def fastest(answers):
    """Of each pass."""
    return [min(seconds) for seconds in zip(*answers)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orepa", default="build/layers", help="the program of tools/bench/layers.cpp")
    parser.add_argument("--pytorch", default="build/peers/bin/python", help="the interpreter that has PyTorch")
    parser.add_argument("--cases", default="", help="a regular expression of their names")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=7)
    options = parser.parse_args()
    orepa = Program([options.orepa], options.threads)
    pytorch = Program([options.pytorch, "tools/bench/torch_layers.py", str(options.threads)], options.threads)
    print(f"load {os.getloadavg()[0]:.1f} before, threads: {options.threads}; the fastest of {options.rounds} rounds of "
          f"{options.iterations} passes; PyTorch {pytorch.line()}\n\n"
          "| layer | shape | orepa: forward, backward, ms | PyTorch: forward, backward, ms | ratio |\n| --- | --- | --- | --- | --- |")
    slower = rows = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(CASES):
            if not re.search(options.cases, case.name):
                continue
            path = os.path.join(folder, "case.prototxt")
            with open(path, "w") as file:
                file.write(net(case))
            answers = {"orepa": [], "contiguous": [], "channels_last": []}
            for i in range(options.rounds):
                for program in list(answers)[::1 if i % 2 else -1]:
                    answers[program].append(orepa.ask(path, options.iterations) if program == "orepa" else
                                            pytorch.ask(number, options.iterations, program))
            us = fastest(answers["orepa"])
            them = min(fastest(answers["contiguous"]), fastest(answers["channels_last"]), key=sum)
            times = ["{:.2f}, {:.2f}".format(*(1e3 * seconds for seconds in passes)) for passes in (us, them)]
            ratio = sum(us) / sum(them)
            rows += 1
            slower += ratio > 1
            shape = " x ".join(map(str, case.shapes[0]))
            print(f"| {case.name} | {shape} | {times[0]} | {times[1]} | {ratio:.2f} |", flush=True)
    print(f"\n{slower} of {rows} rows are slower than PyTorch's")


if __name__ == "__main__":
    main()
