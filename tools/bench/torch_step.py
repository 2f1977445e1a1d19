"""Training steps under PyTorch, timed: what tools/bench.py puts beside orepa's. Prints JSON.

The net is torchvision's (--torchvision resnet18) or one of the published code of OREPA (JUGGHM/OREPA_CVPR2022, unchanged:
--published CHECKOUT --architecture ResNet-18 --blocks OREPA). Images and kernels are channels_last, bf16 is autocast.
"""
import argparse
import json
import os
import resource
import statistics
import sys
import time

import torch

WARM_UP = 2  # as orepa_tool time; torch.compile compiles in it


def net(options):
    if options.torchvision:
        import torchvision
        return getattr(torchvision.models, options.torchvision)()
    sys.path.insert(0, options.published)
    import convnet_utils
    convnet_utils.switch_conv_bn_impl(options.blocks)
    return convnet_utils.build_model(options.architecture)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torchvision")
    parser.add_argument("--published")
    parser.add_argument("--architecture")
    parser.add_argument("--blocks")
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--mode", choices=("eager", "compiled"), default="eager")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--iterations", type=int, required=True)
    options = parser.parse_args()
    model = net(options).to(memory_format=torch.channels_last).train()
    sgd = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)
    images = torch.randn(options.batch, 3, 224, 224).to(memory_format=torch.channels_last)
    labels = torch.full((options.batch,), 7)
    if options.mode == "compiled":
        # What is compiled once stays with the virtual environment, for the rounds after.
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = os.path.join(sys.prefix, "compiled")
        model = torch.compile(model)
    seconds = []
    for _ in range(WARM_UP + options.iterations):
        start = time.perf_counter()
        sgd.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16"):
            loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        sgd.step()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"median_seconds": statistics.median(seconds[WARM_UP:]),
                      "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                      "version": ".".join(torch.__version__.split(".")[:2])}))


if __name__ == "__main__":
    main()
