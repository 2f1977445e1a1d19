#!/usr/bin/python3
"""Writes what Pillow 9.4 and torchvision 0.14.1 (Debian 12) make of source.png, next to this file:

    antialias_TOP_LEFT_HEIGHT_WIDTH_HEIGHT_WIDTH.png    a region, resized: PIL images
    bilinear_...                                        tensors, without antialias
    brightness_FACTOR.png, contrast_, saturation_, hue_ a change of colour of all of it: PIL images
"""
import os

import numpy
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

FOLDER = os.path.dirname(os.path.abspath(__file__))
HEIGHT, WIDTH = 21, 26
VIEWS = ((0, 0, 21, 26, 9, 9), (3, 5, 16, 18, 7, 11), (5, 7, 6, 12, 15, 15), (1, 2, 20, 22, 4, 3), (0, 25, 21, 1, 8, 4))
CHANGES = {"brightness": (0.6, 1.4), "contrast": (0.5, 1.7), "saturation": (0.0, 1.8), "hue": (-0.3, 0.1)}


def source():
    y, x = numpy.mgrid[:HEIGHT, :WIDTH]
    channels = [127 + 90 * numpy.sin((x * (c + 1) + y * 2) / 9 + c) + 37 * ((x // 5 + y // (4 + c)) % 2) for c in range(3)]
    return Image.fromarray(numpy.clip(numpy.stack(channels, -1), 0, 255).astype(numpy.uint8))


def save(image, name):
    image.save(f"{FOLDER}/{name}.png", optimize=True)


def main():
    image = source()
    save(image, "source")
    tensor = torch.from_numpy(numpy.array(image)).permute(2, 0, 1)
    for view in VIEWS:
        name = "_".join(map(str, view))
        save(F.resized_crop(image, *view[:4], list(view[4:]), InterpolationMode.BILINEAR), f"antialias_{name}")
        resized = F.resize(F.crop(tensor, *view[:4]), list(view[4:]), InterpolationMode.BILINEAR, antialias=None)
        save(Image.fromarray(resized.permute(1, 2, 0).numpy()), f"bilinear_{name}")
    for name, factors in CHANGES.items():
        for factor in factors:
            save(getattr(F, f"adjust_{name}")(image, factor), f"{name}_{factor}")


if __name__ == "__main__":
    main()
