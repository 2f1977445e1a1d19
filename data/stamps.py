#!/usr/bin/python3
"""Photographs to classify, as small as wanted and read as ImageNet is: OUTPUT/{train,val}/CLASS/NNNNN.jpg.

Each shows a cut-out photograph of one of 12 classes, at random place, size and rotation, before a part of another
photograph, both a little lighter, darker, paler or more colourful than they were. Sizes vary around 500 x 375 (--size),
one in three upright; one in ten is progressive, one in thirty grey; JPEG's quality is 90 to 95. A cut-out's design (all
apples, all guitars) and a background are in train or in val, never in both: a quarter is val's. So are a quarter as many
images as --count.

Made from tuxpaint-stamps-default (161 MB to download; GPL-2) before photographs of opencv-doc (96 MB; Apache-2.0, BSD and
others), mate-backgrounds (47 MB; GPL-2+, CC-BY-SA-4.0) and lomiri-wallpapers-16.04 (16 MB; CC-BY-4.0, CC-BY-SA). The same
packages, python3-pil and python3-numpy among them, and the same options give the same bytes.
As many as is the default: 440 MB in 190 seconds of a processor.
"""
import functools
import math
import os
import re

import numpy
from PIL import Image, ImageEnhance, ImageFilter

import debian
import output

# Folders of the package; what is drawn rather than photographed lies in others called cartoon.
CLASSES = {
    "bird": ("animals/birds",),
    "carnivore": ("animals/mammals/cats", "animals/mammals/dogs", "animals/mammals/bears"),
    "fish": ("animals/fish",),
    "flower": ("plants/flowers",),
    "fruit": ("food/fruit",),
    "instrument": ("hobbies/music",),
    "road_sign": ("town/roadsigns",),
    "rodent_or_rabbit": ("animals/mammals/rodents",),
    "tool": ("household/tools",),
    "ungulate": ("animals/mammals/bovines", "animals/mammals/camel", "animals/mammals/deer", "animals/mammals/equines"),
    "vegetable": ("food/vegetables",),
    "vehicle": ("vehicles",),
}
# What lies in these folders and is of another class, of none, or no whole thing.
LEFT_OUT = {"7spoke256", "wheel_tractor", "sedan_police", "sedan_police_mirror", "edward_bear", "lobster", "shrimp",
            "cementmixer", "traffic_cone"}
HELD_OUT = 0.25  # of the designs of a class, and of the backgrounds
RATIOS = (4 / 3, 4 / 3, 3 / 2, 1.25, 1)
EXTENT = (0.4, 0.9)  # of a stamp's longer side, in the image's shorter ones
ENLARGEMENT = 4  # the most
# Fruit and vegetables are small files. So that blurred does not mean vegetable, all stamps have as little detail at times.
DETAIL = (60, 400)  # pixels of the longer side
LEAST_CONTRAST = 25  # of 255: of a stamp to what it hides, in grey
DRAWS = 200  # of stamp and background, the most until they have this contrast


def stamps(files):
    """Paths of the package's photographs, by class."""
    found = {name: [] for name in CLASSES}
    for path in files:
        folder, file = path.rsplit("/", 1)
        if not file.endswith(".png") or "/cartoon" in folder or file[:-4] in LEFT_OUT:
            continue
        for name, folders in CLASSES.items():
            if any(f"/stamps/{part}/" in folder + "/" for part in folders):
                found[name].append(path)
    return found


def design(path):
    """Stamps are of one design if their files' names begin with the same word: apple_fuji, apple_red."""
    return re.split("[^a-z0-9]", output.stem(path).lower())[0]


def split(paths, key, random):
    """Paths for train and for val, of which no two have the same key."""
    keys = sorted({key(path) for path in paths})
    if len(keys) < 2:
        raise SystemExit(f"{', '.join(paths) or 'nothing'}: expected at least two designs, one for train and one for val")
    held_out = set(random.permutation(keys)[:max(1, round(HELD_OUT * len(keys)))])
    return ([path for path in paths if key(path) not in held_out], [path for path in paths if key(path) in held_out])


@functools.lru_cache(maxsize=None)
def opened_stamp(path):
    image = Image.open(path).convert("RGBA")
    return image.crop(image.getchannel("A").point(lambda alpha: 255 * (alpha > 16)).getbbox())


@functools.lru_cache(maxsize=None)
def opened_background(path):
    image = Image.open(path).convert("RGB")
    image.thumbnail((1600, 1600), Image.LANCZOS)
    return image


def scaled(image, side):
    """With that longer side."""
    scale = side / max(image.size)
    return image.resize([max(1, round(extent * scale)) for extent in image.size], Image.LANCZOS)


def adjusted(image, random):
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(random.uniform(0.8, 1.2))
    return image


def cut_out(path, short, mirror, random):
    """A stamp, turned and at the size it has in an image with that shorter side."""
    stamp = opened_stamp(path)
    detail = math.exp(random.uniform(*map(math.log, DETAIL)))
    if detail < max(stamp.size):
        stamp = scaled(stamp, detail)
    stamp = scaled(stamp, min(random.uniform(*EXTENT) * short, ENLARGEMENT * max(stamp.size)))
    if mirror and random.random() < 0.5:
        stamp = stamp.transpose(Image.FLIP_LEFT_RIGHT)
    stamp = stamp.rotate(random.uniform(-25, 25), Image.BICUBIC, expand=True)
    alpha = stamp.getchannel("A").filter(ImageFilter.GaussianBlur(0.7))
    stamp = adjusted(stamp.convert("RGB"), random)
    stamp.putalpha(alpha)
    return stamp


def background(path, size, random):
    """A part of the photograph, enlarged or reduced to that size."""
    photograph = opened_background(path)
    fit = min(photograph.width / size[0], photograph.height / size[1]) * random.uniform(0.6, 1)
    across, down = size[0] * fit, size[1] * fit
    left, top = random.uniform(0, photograph.width - across), random.uniform(0, photograph.height - down)
    part = photograph.resize(size, Image.LANCZOS, box=(left, top, left + across, top + down))
    if random.random() < 0.5:
        part = part.transpose(Image.FLIP_LEFT_RIGHT)
    return adjusted(part, random)


def contrast(stamp, below):
    """The mean difference of their lightness where the stamp is."""
    weight, ours, theirs = (numpy.asarray(image, numpy.float32)
                            for image in (stamp.getchannel("A"), stamp.convert("L"), below.convert("L")))
    return float((numpy.abs(ours - theirs) * weight).sum() / weight.sum())


def compose(stamps_of_class, backgrounds, size, mirror, random):
    """A stamp before a background, drawn again where it would hardly be seen."""
    long = size * random.uniform(0.9, 1.1)
    extents = [round(long), round(long / random.choice(RATIOS))]
    if random.random() < 1 / 3:
        extents.reverse()
    for _ in range(DRAWS):
        stamp = cut_out(stamps_of_class[random.integers(len(stamps_of_class))], min(extents), mirror, random)
        # Up to a tenth of it may be beyond the border.
        at = [int(random.uniform(-0.1 * part, whole - 0.9 * part)) for whole, part in zip(extents, stamp.size)]
        box = (*at, at[0] + stamp.width, at[1] + stamp.height)
        image = background(backgrounds[random.integers(len(backgrounds))], extents, random)
        if contrast(stamp, image.crop(box)) >= LEAST_CONTRAST:
            image.paste(stamp, box, stamp)
            return image
    raise SystemExit(f"{', '.join(stamps_of_class)}: in {DRAWS} draws none had a contrast of {LEAST_CONTRAST} to what it "
                     "hides; give other backgrounds")


def make_split(folder, classes, backgrounds, count, size, seed):
    """Writes `count` images; `classes`: paths of stamps by class."""
    names = sorted(classes)
    for index in range(count):
        name = names[index % len(names)]
        random = numpy.random.default_rng([seed, index])
        image = compose(classes[name], backgrounds, size, name != "road_sign", random)
        if random.random() < 1 / 30:
            image = image.convert("L")
        os.makedirs(f"{folder}/{name}", exist_ok=True)
        image.save(f"{folder}/{name}/{index:05}.jpg", quality=int(random.integers(90, 96)),
                   progressive=bool(random.random() < 0.1))


def make(folder, classes, backgrounds, count, size, seed):
    """`classes`: paths of stamps by class, `backgrounds`: paths of photographs."""
    random = numpy.random.default_rng(seed)
    parts = {name: split(classes[name], design, random) for name in sorted(classes)}
    scenes = split(backgrounds, output.stem, random)
    contents = {}
    for which, (part, images) in enumerate((("train", count), ("val", math.ceil(count / 4)))):
        members = {name: both[which] for name, both in parts.items()}
        make_split(f"{folder}/{part}", members, scenes[which], images, size, seed * 2 + which)
        contents[part] = {"images": images, "stamps": {name: list(map(output.stem, paths)) for name, paths in members.items()},
                          "backgrounds": list(map(output.stem, scenes[which]))}
    output.write_contents(folder, contents)
    return contents


def main():
    parser = output.options(__doc__, "build/data/stamps", count=6000)
    parser.add_argument("--size", type=output.positive, default=500, help="pixels of the longer side, about (%(default)s)")
    chosen = parser.parse_args()
    classes = stamps(debian.files("tuxpaint-stamps-default"))
    backgrounds = debian.photographs(debian.BACKGROUNDS)
    with output.whole(chosen.output) as folder:
        for part, what in make(folder, classes, backgrounds, chosen.count, chosen.size, chosen.seed).items():
            print(f"{part}: {what['images']} images,", ", ".join(f"{name} {len(s)}" for name, s in what["stamps"].items()),
                  f"stamps, {len(what['backgrounds'])} backgrounds")


if __name__ == "__main__":
    main()
