"""The two data sets, each with what a rate is chosen by and what is reported: (training images, test images)."""
import dataclasses
import gzip
import os

FASHION = "/usr/share/datasets/fashion-mnist"
HELD_OUT = 10000  # of Fashion-MNIST's 60,000 training images, the last


@dataclasses.dataclass(frozen=True)
class DataSet:
    name: str
    classes: int
    mean: float  # of the pixels of the training set
    deviation: float
    mirror: bool
    choice: tuple  # IDX files to choose a rate with: images to train with, images held out
    report: tuple  # those of the figures that are reported


def idx(folder, part):
    return f"{folder}/{part}-images-idx3-ubyte.gz"


def labels_of(images):
    return images.replace("-images-idx3-", "-labels-idx1-")


def count(images):
    """How many there are in an IDX file."""
    with gzip.open(images) as file:
        return int.from_bytes(file.read(8)[4:], "big")


def glyphs(folder):
    train = idx(folder, "train")
    return DataSet("glyphs", 45, 123.87, 79.95, False, (train, idx(folder, "val")), (train, idx(folder, "test")))


def fashion_mnist(folder):
    """`folder`: where the slices of the training set are written, if they are not there."""
    whole = idx(FASHION, "train")
    slices = idx(folder, "first"), idx(folder, "held_out")
    if not all(os.path.exists(labels_of(images)) for images in slices):
        os.makedirs(folder, exist_ok=True)
        for source, *parts in ((whole, *slices), (labels_of(whole), *map(labels_of, slices))):
            write_slices(source, *parts)
    return DataSet("fashion_mnist", 10, 72.94, 90.01, True, slices, (whole, idx(FASHION, "t10k")))


def write_slices(source, first, last):
    """Cuts an IDX file in two, HELD_OUT samples in the second part."""
    with gzip.open(source) as file:
        data = file.read()
    axes = data[3]
    shape = [int.from_bytes(data[4 + 4 * axis:8 + 4 * axis], "big") for axis in range(axes)]
    start = 4 + 4 * axes
    size = (len(data) - start) // shape[0]
    cut = shape[0] - HELD_OUT
    for path, count, samples in ((first, cut, data[start:start + cut * size]), (last, HELD_OUT, data[start + cut * size:])):
        header = data[:4] + count.to_bytes(4, "big") + data[8:start]
        with gzip.GzipFile(path, "wb", compresslevel=1, mtime=0) as file:
            file.write(header + samples)
