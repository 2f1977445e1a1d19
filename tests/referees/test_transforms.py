#!/usr/bin/python3
"""Views of images and changes of colour beside torchvision's: test_transforms.py SHOW_VIEW [SEED].

Decoding and resizing are equal to Pillow's, bit for bit; resizing without antialias and changes of colour are within one
level. What scaled decoding makes of a view is another image, close to it: how close is printed.
"""
import subprocess
import sys
import tempfile
import unittest

import numpy
import torch
from PIL import Image, ImageOps
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

BILINEAR = InterpolationMode.BILINEAR


def photograph(height, width, random):
    """Something with slopes, edges and noise."""
    y, x = numpy.mgrid[:height, :width]
    channels = []
    for _ in range(3):
        phase = random.uniform(0, 6, 4)
        slope = 100 + 50 * numpy.sin(x / 17 + phase[0]) + 40 * numpy.cos(y / 23 + phase[1])
        edges = 60 * ((x // (9 + phase[2]) + y // (7 + phase[3])) % 2)
        channels.append(slope + edges + random.normal(0, 6, (height, width)))
    return Image.fromarray(numpy.clip(numpy.stack(channels, -1), 0, 255).astype(numpy.uint8))


class Transforms(unittest.TestCase):
    tool = None
    seed = 0

    def setUp(self):
        self.random = numpy.random.default_rng(self.seed)
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def file(self, image, name, **options):
        path = f"{self.folder.name}/{name}"
        image.save(path, **options)
        return path

    def show(self, path, region, size, colors="rgb", work="exact", filter="antialias", changes=()):
        words = [path, colors, work, filter, *region, *size, *(word for change in changes for word in change)]
        line = " ".join(map(str, words)) + "\n"
        done = subprocess.run([self.tool], input=line.encode(), stdout=subprocess.PIPE, check=True)
        pixels = numpy.frombuffer(done.stdout, numpy.uint8)
        return pixels.reshape(size if colors == "gray" else (*size, 3))

    def region(self, image):
        height, width = (int(self.random.integers(1, length + 1)) for length in (image.height, image.width))
        top, left = (int(self.random.integers(0, free + 1)) for free in (image.height - height, image.width - width))
        return top, left, height, width

    def size(self):
        return tuple(int(length) for length in self.random.integers(1, 200, 2))

    def assert_close(self, got, expected, most):
        difference = numpy.abs(got.astype(int) - numpy.asarray(expected).astype(int))
        self.assertLessEqual(int(difference.max()), most)

    def test_decodes_as_pillow(self):
        image = photograph(93, 121, self.random)
        ink = image.convert("CMYK")
        files = {f"{s}{p}.jpg": dict(quality=90, subsampling=s, progressive=bool(p)) for s in (0, 1, 2) for p in (0, 1)}
        for name, options in files.items():
            path = self.file(image, name, **options)
            for colors, mode in (("rgb", "RGB"), ("gray", "L")):
                with self.subTest(name, colors=colors):
                    opened = Image.open(path)
                    if mode == "L":
                        opened.draft("L", image.size)
                    self.assert_close(self.show(path, (0, 0, 93, 121), (93, 121), colors), opened.convert(mode), 0)
        path = self.file(ink, "ink.jpg")
        self.assert_close(self.show(path, (0, 0, 93, 121), (93, 121)), Image.open(path).convert("RGB"), 0)
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
            with self.subTest("png", mode=mode):
                path = self.file(image.convert(mode), f"{mode}.png")
                self.assert_close(self.show(path, (0, 0, 93, 121), (93, 121)), Image.open(path).convert("RGB"), 0)
                self.assert_close(self.show(path, (0, 0, 93, 121), (93, 121), "gray"),
                                  Image.open(path).convert("RGB").convert("L"), 0)

    def test_turns_as_pillow(self):
        image = photograph(40, 61, self.random)
        for orientation in range(1, 9):
            exif = Image.Exif()
            exif[0x0112] = orientation
            for name, options in (("turned.jpg", dict(quality=95)), ("turned.png", {})):
                with self.subTest(name, orientation=orientation):
                    path = self.file(image, name, exif=exif, **options)
                    expected = ImageOps.exif_transpose(Image.open(path))
                    size = (expected.height, expected.width)
                    self.assert_close(self.show(path, (0, 0, *size), size), expected, 0)

    def test_resizes_as_torchvision(self):
        image = photograph(180, 230, self.random)
        path = self.file(image, "image.jpg", quality=92)
        image = Image.open(path).convert("RGB")
        tensor = torch.from_numpy(numpy.array(image)).permute(2, 0, 1)
        for _ in range(100):
            region, size = self.region(image), self.size()
            with self.subTest(region=region, size=size):
                got = self.show(path, region, size)
                self.assert_close(got, F.resized_crop(image, *region, list(size), BILINEAR), 0)
                cut = F.crop(tensor, *region)
                self.assert_close(got, F.resize(cut, list(size), BILINEAR, antialias=True).permute(1, 2, 0), 1)
                expected = F.resize(cut, list(size), BILINEAR, antialias=None)
                self.assert_close(self.show(path, region, size, filter="bilinear"), expected.permute(1, 2, 0), 1)
                grey = Image.open(path)
                grey.draft("L", image.size)
                self.assert_close(self.show(path, region, size, "gray"),
                                  F.resized_crop(grey.convert("L"), *region, list(size), BILINEAR), 0)

    def test_scaled_decoding_is_close(self):
        image = photograph(601, 803, self.random)
        path = self.file(image, "image.jpg", quality=92)
        image = Image.open(path).convert("RGB")
        means = []
        for _ in range(20):
            region, size = self.region(image), self.size()
            expected = numpy.asarray(F.resized_crop(image, *region, list(size), BILINEAR)).astype(int)
            got = self.show(path, region, size, work="scaled")
            if min(region[2] // size[0], region[3] // size[1]) < 2:
                self.assert_close(got, expected, 0)
            else:
                means.append(numpy.abs(got - expected).mean())
        self.assertGreater(len(means), 0)
        print(f"scaled decoding: {len(means)} views, {numpy.mean(means):.2f} levels from exact decoding on average, "
              f"at most {max(means):.2f}")
        self.assertLess(max(means), 8)

    def test_changes_colours_as_torchvision(self):
        # All colours whose levels are multiples of 3, and a mean that is nothing special.
        levels = numpy.arange(0, 256, 3, dtype=numpy.uint8)
        colors = numpy.stack(numpy.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(len(levels), -1, 3)
        image = Image.fromarray(colors)
        path = self.file(image, "colors.png")
        size = (image.height, image.width)
        operations = {"brightness": F.adjust_brightness, "contrast": F.adjust_contrast,
                      "saturation": F.adjust_saturation, "hue": F.adjust_hue}
        factors = {"hue": (-0.5, -0.31, -0.1, -0.001, 0.0, 0.02, 0.25, 0.5)}
        for name, operation in operations.items():
            for factor in factors.get(name, (0.0, 0.3, 0.6, 1.0, 1.37, 2.5)):
                with self.subTest(name, factor=factor):
                    got = self.show(path, (0, 0, *size), size, changes=[(name, factor)])
                    self.assert_close(got, operation(image, factor), 1)
                    swapped = self.show(path, (0, 0, *size), size, "bgr", changes=[(name, factor)])
                    self.assert_close(swapped[..., ::-1], got, 0)
        order = [("hue", 0.1), ("saturation", 1.3), ("contrast", 0.7), ("brightness", 1.2)]
        expected = image
        for name, factor in order:
            expected = operations[name](expected, factor)
        self.assert_close(self.show(path, (0, 0, *size), size, changes=order), expected, 2)


if __name__ == "__main__":
    Transforms.tool = sys.argv[1]
    Transforms.seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    unittest.main(argv=sys.argv[:1])
