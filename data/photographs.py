#!/usr/bin/python3
"""JPEG photographs to measure reading with: OUTPUT/small and OUTPUT/large, each PHOTOGRAPH/NNNNN.jpg.

small: tiles of about 500 x 375 pixels cut at native scale, 108 KB on average, as in ImageNet (110 KB).
large: parts reduced to about 1,600 pixels, as phones send their photographs.

Which photograph a tile is from is its class. Made from opencv-doc (96 MB to download; Apache-2.0, BSD and others),
mate-backgrounds (47 MB; GPL-2+, CC-BY-SA-4.0) and lomiri-wallpapers-16.04 (16 MB; CC-BY-4.0, CC-BY-SA). The same packages,
python3-pil and python3-numpy among them, and the same options give the same bytes.
As many as is the default: 165 MB in 17 seconds of a processor.
"""
import functools
import io
import os

import numpy
from PIL import Image

import debian
import output

SMALL = ((500, 375), (500, 375), (500, 333), (375, 500))
LARGE = ((1600, 1200), (1600, 1200), (1600, 1066), (1200, 1600))
SMALL_JPEG = {"quality": 98, "subsampling": "4:2:0"}
LARGE_JPEG = {"quality": 92, "subsampling": "4:2:0"}
# Wallpapers are smooth: cut at native scale, they have few bits a pixel at any quality. ImageNet has 4.7.
LEAST_BITS = 3.3
PROBES = 8  # tiles that tell how many bits a photograph has


def tile(photograph, sizes, native, random):
    """A part of the photograph that has one of the sizes or, where it need not be native, is reduced to it; None if it is
    too small for all of them."""
    sizes = [size for size in sizes if size[0] <= photograph.width and size[1] <= photograph.height]
    if not sizes:
        return None
    width, height = sizes[random.integers(len(sizes))]
    scale = 1 if native else random.uniform(1, min(photograph.width / width, photograph.height / height))
    across, down = int(width * scale), int(height * scale)
    left, top = (int(random.integers(have - part + 1)) for have, part in zip(photograph.size, (across, down)))
    part = photograph.crop((left, top, left + across, top + down))
    return part if native else part.resize((width, height), Image.LANCZOS)


def encoded(image, jpeg):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **jpeg)
    return buffer.getvalue()


def bits(path, seed):
    """Bits a pixel that the photograph's tiles take."""
    photograph, random = opened(path), numpy.random.default_rng(seed)
    tiles = [tile(photograph, SMALL, True, random) for _ in range(PROBES)]
    return sum(8 * len(encoded(t, SMALL_JPEG)) / (t.width * t.height) for t in tiles) / PROBES


@functools.lru_cache(maxsize=1)
def opened(path):
    return Image.open(path).convert("RGB")


def make_part(folder, paths, count, sizes, native, jpeg, seed):
    """Writes `count` tiles, as many of each photograph. Returns what contents.json says of them."""
    total = 0
    for number, path in enumerate(paths):
        name = output.stem(path)
        os.makedirs(f"{folder}/{name}")
        for index in range(number, count, len(paths)):
            image = tile(opened(path), sizes, native, numpy.random.default_rng([seed, sizes[0][0], index]))
            data = encoded(image, jpeg)
            with open(f"{folder}/{name}/{index:05}.jpg", "wb") as file:
                file.write(data)
            total += len(data)
    return {"images": count, "photographs": len(paths), "mean_bytes": round(total / count)}


def make(folder, paths, small, large, seed):
    """`paths`: photographs of at least 500 x 375 pixels."""
    detailed = [path for path in paths if bits(path, seed) >= LEAST_BITS]
    wide = [path for path in paths if min(opened(path).size) >= LARGE[0][1] and max(opened(path).size) >= LARGE[0][0]]
    if not detailed or not wide:
        raise SystemExit(f"of {len(paths)} photographs, {len(detailed)} have {LEAST_BITS} bits a pixel and {len(wide)} are "
                         f"as large as {LARGE[0]}; expected some")
    contents = {"small": make_part(f"{folder}/small", detailed, small, SMALL, True, SMALL_JPEG, seed),
                "large": make_part(f"{folder}/large", wide, large, LARGE, False, LARGE_JPEG, seed)}
    output.write_contents(folder, contents)
    return contents


def main():
    chosen = output.options(__doc__, "build/data/photographs", small=1000, large=200).parse_args()
    paths = debian.photographs(debian.BACKGROUNDS, debian.OTHERS)
    with output.whole(chosen.output) as folder:
        print(make(folder, paths, chosen.small, chosen.large, chosen.seed))


if __name__ == "__main__":
    main()
