#!/usr/bin/python3
"""Characters of many fonts, 28 x 28 grey, which a small network does not saturate: OUTPUT/{train,val,test}-*.gz or folders.

45 classes: digits, letters, and capitals and small letters as one where only their size differs. A font's design, all of its
weights and clones, is in one split only: train; val, to choose rates by; and test. An image is a glyph of random size,
place, turn and slant, with parts of neighbours, light on dark or dark on light, blurred and noisy.

--format idx writes IDX files as Fashion-MNIST's, for `Data`'s source; folder the same images as SPLIT/CLASS/NNNNNN.png. Made
from 163 packages fonts-* (packages/glyphs.txt; 145 MB to download; SIL OFL, GPL with font exception and other free ones). The
same packages, python3-pil and python3-numpy among them, and the same options give the same bytes.
As many as is the default: 95 MB in 80 seconds of a processor; as PNG 104 MB in 125,000 files.
"""
import collections
import functools
import gzip
import os

import numpy
from PIL import Image, ImageFilter

import debian
import fonts
import output

SIDE = 28
EM = 56  # pixels that glyphs are drawn with before they are reduced
MARGIN = 80  # of the canvas, for neighbours
TEST, VAL = 0.2, 0.1  # of the designs
# The large designs stay in train: a test set mostly of them would be one of a few designs.
ALWAYS_TRAIN = ("clones", "noto", "vera")
SPLITS = ("train", "val", "test")


@functools.lru_cache(maxsize=None)
def glyph(path, character):
    return fonts.glyph(fonts.opened(path, EM), character)


def line(font, character, random):
    """The glyph in the middle of a canvas, at times between two others, as in a line of text."""
    image = glyph(font.path, character)
    canvas = Image.new("L", (image.width + 2 * MARGIN, image.height + 2 * MARGIN))
    canvas.paste(image, (MARGIN, MARGIN))
    if random.random() < 0.7:
        for left in (True, False):
            other = glyph(font.path, font.characters[random.integers(len(font.characters))])
            gap = int(random.integers(2, 9))
            x = MARGIN - gap - other.width if left else MARGIN + image.width + gap
            canvas.paste(other, (x, MARGIN + image.height - other.height))
    return canvas


def warp(canvas, random):
    """The middle of the canvas at the size of an image, as numbers from 0 to 1."""
    width, height = canvas.width - 2 * MARGIN, canvas.height - 2 * MARGIN
    angle, shear = numpy.deg2rad(random.uniform(-20, 20)), random.uniform(-0.35, 0.35)
    scale = max(height, 0.8 * width) / random.uniform(12, 24)
    turn = numpy.array([[numpy.cos(angle), -numpy.sin(angle)], [numpy.sin(angle), numpy.cos(angle)]])
    to_canvas = numpy.diag([scale * random.uniform(0.75, 1.3), scale]) @ numpy.array([[1, shear], [0, 1]]) @ turn
    # Drawn at twice the size, so that fine strokes are averaged rather than missed.
    half = to_canvas / 2
    offset = numpy.array(canvas.size) / 2 - half @ (SIDE + 2 * random.uniform(-3.5, 3.5, 2))
    matrix = (half[0, 0], half[0, 1], offset[0], half[1, 0], half[1, 1], offset[1])
    image = canvas.transform((2 * SIDE, 2 * SIDE), Image.AFFINE, matrix, resample=Image.BILINEAR)
    if random.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.5, 2)))
    return numpy.asarray(image, numpy.float32).reshape(SIDE, 2, SIDE, 2).mean((1, 3)) / 255


def shade(ink, random):
    """Light and dark for 1 and 0 or for 0 and 1, with a slope and noise, as bytes."""
    low, high = random.uniform(0, 0.35), random.uniform(0.6, 1)
    if random.random() < 0.5:
        low, high = high, low
    grid = numpy.linspace(-1, 1, SIDE)
    down, across = random.normal(0, 0.08, 2)
    image = low + (high - low) * ink + down * grid[:, None] + across * grid[None, :]
    image = image + random.normal(0, random.uniform(0.02, 0.2), (SIDE, SIDE))
    return (numpy.clip(image, 0, 1) * 255).astype(numpy.uint8)


def families(members):
    """Fonts by design, each a list of families, each a list of fonts."""
    designs = collections.defaultdict(lambda: collections.defaultdict(list))
    for font in members:
        designs[font.design][font.family].append(font)
    return {name: [designs[name][family] for family in sorted(designs[name])] for name in sorted(designs)}


def split(members, random):
    """Designs of train, val and test."""
    designs = families(members)
    movable = [str(name) for name in random.permutation([name for name in designs if name not in ALWAYS_TRAIN])]
    test, val = (max(1, round(part * len(designs))) for part in (TEST, VAL))
    if len(movable) <= test + val:
        raise SystemExit(f"{len(designs)} designs: expected some for each of {', '.join(SPLITS)}; are the fonts installed?")
    parts = set(movable[test + val:]).union(ALWAYS_TRAIN), set(movable[test:test + val]), set(movable[:test])
    return [{name: designs[name] for name in designs if name in part} for part in parts]


def draw(designs, count, seed):
    """Images and labels, in turn of each class; a design of many families a little more often than one of few."""
    names = list(designs)
    weights = numpy.sqrt([len(designs[name]) for name in names])
    weights /= weights.sum()
    images, labels = numpy.empty((count, SIDE, SIDE), numpy.uint8), numpy.empty(count, numpy.uint8)
    for index in range(count):
        random = numpy.random.default_rng([seed, index])
        family = designs[names[random.choice(len(names), p=weights)]]
        family = family[random.integers(len(family))]
        font = family[random.integers(len(family))]
        wanted = [c for c in font.characters if fonts.LABELS[c] == index % len(fonts.CLASSES)]
        wanted = wanted or font.characters  # a font of capitals has no small letters
        character = wanted[random.integers(len(wanted))]
        images[index] = shade(warp(line(font, character, random), random), random)
        labels[index] = fonts.LABELS[character]
    return images, labels


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(extent.to_bytes(4, "big") for extent in array.shape)
    # Neither time nor name go into the file.
    with open(path, "wb") as file, gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as packed:
        packed.write(header + array.tobytes())


def write_split(folder, part, images, labels, form):
    if form == "idx":
        write_idx(f"{folder}/{part}-images-idx3-ubyte.gz", images)
        write_idx(f"{folder}/{part}-labels-idx1-ubyte.gz", labels)
        return
    for name in fonts.CLASSES:
        os.makedirs(f"{folder}/{part}/{name}")
    for index, (image, label) in enumerate(zip(images, labels)):
        Image.fromarray(image).save(f"{folder}/{part}/{fonts.CLASSES[label]}/{index:06}.png", compress_level=1)


def make(folder, members, counts, form, seed):
    """`members`: the fonts; `counts`: images of train, val and test; `form`: idx or folder."""
    contents = {"classes": fonts.CLASSES}
    parts = split(members, numpy.random.default_rng(seed))
    for number, (part, designs, count) in enumerate(zip(SPLITS, parts, counts)):
        images, labels = draw(designs, count, len(SPLITS) * seed + number)
        write_split(folder, part, images, labels, form)
        contents[part] = {"images": count, "fonts": sum(len(family) for design in designs.values() for family in design),
                          "mean": round(float(images.mean()), 2), "deviation": round(float(images.std()), 2),
                          "designs": list(designs)}
    output.write_contents(folder, contents)
    return contents


def main():
    parser = output.options(__doc__, "build/data/glyphs", train=100000, val=10000, test=15000)
    parser.add_argument("--format", choices=("idx", "folder"), default="idx", help="(%(default)s)")
    chosen = parser.parse_args()
    members = fonts.read(fonts.files(debian.packages("glyphs")))
    with output.whole(chosen.output) as folder:
        contents = make(folder, members, (chosen.train, chosen.val, chosen.test), chosen.format, chosen.seed)
    for part in SPLITS:
        print(f"{part}: {contents[part]['images']} images of {contents[part]['fonts']} fonts of "
              f"{len(contents[part]['designs'])} designs")


if __name__ == "__main__":
    main()
