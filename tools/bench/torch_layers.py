"""PyTorch's side of tools/bench_layers.py: for every line that it reads, the number of a case of layer_cases.py, how often it is
to run and channels_last or contiguous, it prints the seconds of a forward and of a backward pass as JSON, of the fastest runs.
"""
import json
import sys
import time

import torch
from layer_cases import CASES

WARM_UP = 2  # as layers.cpp


def tensors(case, channels_last):
    made = []
    for i, shape in enumerate(case.shapes):
        if case.labels and i == len(case.shapes) - 1:
            made.append(torch.randint(case.labels, shape))
            continue
        tensor = torch.rand(shape) * (1 - case.low) + case.low
        if channels_last and len(shape) == 4:
            tensor = tensor.to(memory_format=torch.channels_last)
        made.append(tensor.requires_grad_(not case.forward))
    return made + [torch.rand(shape).requires_grad_() for shape in case.parameters]


def measure(case, runs, channels_last):
    inputs = tensors(case, channels_last)
    forward = backward = float("inf")
    for run in range(WARM_UP + runs):
        for tensor in inputs:
            tensor.grad = None
        start = time.perf_counter()
        made = case.torch(torch, torch.nn.functional, *inputs)
        middle = time.perf_counter()
        made = made if isinstance(made, list) else [made]
        if not case.forward:
            if run == 0:
                gradients = [torch.ones_like(tensor) for tensor in made]
                middle = time.perf_counter()
            torch.autograd.backward(made, gradients)
        end = time.perf_counter()
        if run >= WARM_UP:
            forward = min(forward, middle - start)
            backward = min(backward, end - middle)
    return forward, 0 if case.forward else backward


def main():
    torch.set_num_threads(int(sys.argv[1]))
    print(torch.__version__, flush=True)
    for line in sys.stdin:
        number, runs, layout = line.split()
        print(json.dumps(measure(CASES[int(number)], int(runs), layout == "channels_last")), flush=True)


if __name__ == "__main__":
    main()
