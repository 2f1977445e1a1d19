"""Training steps under PyTorch, timed: what tools/bench.py puts beside orepa's. Prints JSON.

The net is torchvision's (--torchvision resnet18) or one of the published code of OREPA (JUGGHM/OREPA_CVPR2022, unchanged:
--published CHECKOUT --architecture ResNet-18 --blocks OREPA). Images and kernels are channels_last, bf16 is autocast.
On a GPU, cuDNN times its algorithms and the optimizer is the fused one.
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


def time_on_cpu(step, steps):
    """Seconds of each of them."""
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return seconds


def time_on_gpu(step, steps):
    """The same by the GPU's clock, which the host need not wait for between them."""
    events = [torch.cuda.Event(enable_timing=True) for _ in range(steps + 1)]
    events[0].record()
    for event in events[1:]:
        step()
        event.record()
    torch.cuda.synchronize()
    return [a.elapsed_time(b) / 1000 for a, b in zip(events, events[1:])]


def copy_speed(device):
    """Bytes a second that copies of 1 GiB read and write."""
    source = torch.randn(1 << 28, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / statistics.median(time_on_gpu(lambda: target.copy_(source), 10))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torchvision")
    parser.add_argument("--published")
    parser.add_argument("--architecture")
    parser.add_argument("--blocks")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=("float32", "tf32", "bf16"), default="float32")
    parser.add_argument("--mode", choices=("eager", "compiled"), default="eager")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--iterations", type=int, required=True)
    options = parser.parse_args()
    device = torch.device(options.device)
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(device)
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = options.precision == "tf32"
    model = net(options).to(device, memory_format=torch.channels_last).train()
    sgd = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4, **{"fused": True} if on_gpu else {})
    images = torch.randn(options.batch, 3, 224, 224).to(device, memory_format=torch.channels_last)
    labels = torch.full((options.batch,), 7, device=device)
    if options.mode == "compiled":
        # What is compiled once stays with the virtual environment, for the rounds after.
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(sys.prefix, "compiled"))
        model = torch.compile(model)

    def step():
        sgd.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=options.precision == "bf16"):
            loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        sgd.step()

    time_on_device = time_on_gpu if on_gpu else time_on_cpu
    seconds = time_on_device(step, WARM_UP + options.iterations)[WARM_UP:]
    result = {"median_seconds": statistics.median(seconds), "version": ".".join(torch.__version__.split(".")[:2])}
    if on_gpu:
        result["peak_bytes"] = torch.cuda.max_memory_allocated()
        result["libraries"] = (f"PyTorch {torch.__version__}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}, "
                               f"{torch.cuda.get_device_name()}")
        result["copy_bytes_per_second"] = copy_speed(device)
    else:
        result["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(result))


if __name__ == "__main__":
    main()
