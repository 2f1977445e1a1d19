"""How fast JPEG photographs are read for training, beside torchvision's DataLoader, in one run.

The photographs are those of make data-photographs: small ones (about 500 x 375) and large ones (about 1,600). "resized" are
the small ones as a shard may hold them: their longer side is 400. Both programs decode, take a RandomResizedCrop of 224, flip
half of the images and normalise, in batches of 64, with as many threads as the other one has workers. They take turns, round
by round, for so many seconds of processor time each; ratios are of images a processor second, which other programs disturb
less than seconds, and medians over the rounds. Pillow and we decode by the same libjpeg-turbo.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import tempfile
import time

import torch
import torchvision
from PIL import Image
from torchvision import transforms

BATCH = 64
WARM_UP = 4  # batches: as many as are made ahead
LONGER_SIDE = 400
RESIZED_JPEG = {"quality": 95, "subsampling": "4:2:0"}
# What is aimed at: work and its images, of which other work and its images it is so many times the speed.
TARGETS = ((("crop", "small"), ("whole", "small"), 1.25),
           (("batches", "small"), ("torchvision", "small"), 2.5),
           (("batches", "resized"), ("torchvision", "small"), 3.5))
WORKS = [("whole", "small"), ("crop", "small"), ("views", "small"), ("whole", "large"), ("exact", "large"), ("views", "large")]
BATCHES = [("batches", "small"), ("batches", "resized"), ("batches", "large"), ("torchvision", "small"), ("torchvision", "large")]
NAMES = {"whole": "libjpeg-turbo's full decode", "crop": "decoding what is seen", "exact": "decoding what is seen, and resizing it",
         "views": "the same, scaled decoding allowed", "batches": "orepa, batches", "torchvision": "torchvision, batches"}


def busy_seconds(processes):
    """Processor time of processes that run."""
    ticks = 0
    for process in processes:
        with open(f"/proc/{process}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Torchvision:
    def __init__(self, folder, threads):
        transform = transforms.Compose([transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), transforms.ToTensor(),
                                        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
        images = torchvision.datasets.ImageFolder(folder, transform)
        # So many epochs that none ends while it is measured: workers begin anew with each.
        images.samples = images.samples * 50
        self.loader = torch.utils.data.DataLoader(images, BATCH, shuffle=True, num_workers=threads, prefetch_factor=2)

    def measure(self, seconds):
        batches = iter(self.loader)
        processes = [os.getpid(), *(worker.pid for worker in batches._workers)]
        for _ in range(WARM_UP):
            next(batches)
        images, start, busy_before, busy = 0, time.perf_counter(), busy_seconds(processes), 0
        while busy < seconds:
            images += len(next(batches)[0])
            busy = busy_seconds(processes) - busy_before
        return {"a_second": images / (time.perf_counter() - start), "a_processor_second": images / busy}


def measure_ours(tool, work, threads, seconds, folder):
    done = subprocess.run([tool, work, str(threads), str(seconds), folder], check=True, stdout=subprocess.PIPE,
                          env=dict(os.environ, OMP_WAIT_POLICY="passive", OMP_NUM_THREADS=str(threads)))
    return json.loads(done.stdout)


def write_resized(photographs, folder):
    for path in photographs.rglob("*.jpg"):
        image = Image.open(path)
        scale = LONGER_SIDE / max(image.size)
        target = pathlib.Path(folder, path.parent.name)
        target.mkdir(parents=True, exist_ok=True)
        image.resize([round(length * scale) for length in image.size], Image.LANCZOS).save(target / path.name, **RESIZED_JPEG)


def described(folder):
    paths = list(pathlib.Path(folder).rglob("*.jpg"))
    return f"{len(paths)} of {sum(path.stat().st_size for path in paths) / len(paths) / 1000:.0f} KB"


def processor():
    with open("/proc/cpuinfo") as file:
        found = re.search(r"model name\s*: (.*)", file.read())
    return found.group(1) if found else platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="build/decoding")
    parser.add_argument("--photographs", default="build/data/photographs")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    results = {key: [] for key in WORKS + BATCHES}
    with tempfile.TemporaryDirectory() as temporary:
        folders = {"small": f"{options.photographs}/small", "large": f"{options.photographs}/large", "resized": temporary}
        write_resized(pathlib.Path(folders["small"]), temporary)
        peers = {images: Torchvision(folders[images], options.threads) for work, images in BATCHES if work == "torchvision"}
        for _ in range(options.rounds):
            for work, images in results:
                if work == "torchvision":
                    result = peers[images].measure(options.seconds)
                else:
                    result = measure_ours(options.tool, work, options.threads, options.seconds, folders[images])
                results[work, images].append(result)
        sizes = ", ".join(f"{name}: {described(folder)}" for name, folder in folders.items())
    print(f"{datetime.date.today()}, {processor()}, {options.threads} threads, load {load:.1f} before, {os.getloadavg()[0]:.1f} "
          f"after; {options.rounds} rounds of {options.seconds:g} processor seconds; torchvision {torchvision.__version__}, Pillow "
          f"{Image.__version__}\n{sizes}\n\n"
          "| work | photographs | images a second | images a processor second | scaled |\n| --- | --- | --- | --- | --- |")
    for (work, images), measured in results.items():
        wall, busy = (statistics.median(result[unit] for result in measured) for unit in ("a_second", "a_processor_second"))
        scaled = f"{100 * measured[0]['scaled']:.0f} %" if work == "views" else ""
        print(f"| {NAMES[work]} | {images} | {wall:.0f} | {busy:.0f} | {scaled} |")
    print("\n| ratio | is | aimed at |\n| --- | --- | --- |")
    for ours, other, aim in TARGETS:
        ratios = [a["a_processor_second"] / b["a_processor_second"] for a, b in zip(results[ours], results[other])]
        print(f"| {NAMES[ours[0]]} ({ours[1]}) over {NAMES[other[0]]} ({other[1]}) | {statistics.median(ratios):.2f} | {aim} |")


if __name__ == "__main__":
    main()
