"""Data sets that other programs write, as orepa_tool reads them, and those that it writes, as others read them.

    TOOL=build/orepa_tool python3 tests/referees/test_datasets.py

Needs Debian's python3-lmdb, python3-plyvel, python3-h5py, python3-numpy and python3-opencv.
"""
import contextlib
import io
import os
import re
import subprocess
import tarfile
import tempfile
import unittest

import cv2
import h5py
import lmdb
import numpy
import plyvel

TOOL = os.environ.get("TOOL", "build/orepa_tool")


def varint(value):
    value &= (1 << 64) - 1
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def datum(label, data=None, shape=None, encoded=False, numbers=None):
    """A message Datum, byte by byte."""
    out = b""
    for field, extent in enumerate(shape or (), 1):
        out += bytes([field << 3]) + varint(extent)
    if data is not None:
        out += b"\x22" + varint(len(data)) + data
    out += b"\x28" + varint(label)
    if numbers is not None:
        out += b"\x32" + varint(4 * len(numbers)) + numpy.asarray(numbers, "<f4").tobytes()
    return out + (b"\x38\x01" if encoded else b"")


def image_files(count):
    """JPEG and PNG files of 20 + i x 30 pixels."""
    random = numpy.random.default_rng(1)
    for i in range(count):
        pixels = cv2.resize(random.integers(0, 256, (4, 4, 3), numpy.uint8), (30, 20 + i))
        yield cv2.imencode((".jpg", ".png")[i % 2], pixels)[1].tobytes()


class Datasets(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.files = list(image_files(7))

    def path(self, name):
        return os.path.join(self.folder, name)

    def tool(self, command, source, *words):
        done = subprocess.run([TOOL, "dataset", command, "--source", self.path(source), *words],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def check(self, source, backend, samples, labels):
        """Everything can be decoded, and every class has as many samples as it should."""
        self.tool("verify", source)
        said = self.tool("info", source)
        self.assertIn(f"{backend}, {samples} samples", said)
        self.assertEqual({int(label): int(count) for label, count in re.findall(r"^(-?\d+) +(\d+)$", said, re.M)}, labels)
        return said

    def fill_database(self, put):
        for i, file in enumerate(self.files):
            put(f"{i:08d}_{i}.jpg".encode(), datum(i % 3 - 1, file, encoded=True))
        put(b"00000007_raw", datum(5, bytes(range(12)), (3, 2, 2)))

    def test_lmdb(self):
        with lmdb.open(self.path("lmdb"), map_size=1 << 24) as database, database.begin(write=True) as transaction:
            self.fill_database(transaction.put)
        said = self.check("lmdb", "LMDB", 8, {-1: 3, 0: 2, 1: 2, 5: 1})
        self.assertIn("pixels, 3 channels", said)

    def test_leveldb(self):
        with contextlib.closing(plyvel.DB(self.path("leveldb"), create_if_missing=True)) as database:
            self.fill_database(database.put)
        self.check("leveldb", "LEVELDB", 8, {-1: 3, 0: 2, 1: 2, 5: 1})

    def test_numbers(self):
        with lmdb.open(self.path("lmdb"), map_size=1 << 24) as database, database.begin(write=True) as transaction:
            transaction.put(b"a", datum(1, shape=(1, 2, 2), numbers=[1, 2, 3, 4]))
        self.assertIn("numbers, 1 channels", self.tool("info", "lmdb"))

    def test_tar(self):
        for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            os.makedirs(self.path("tars"), exist_ok=True)
            for shard, files in enumerate((self.files[:4], self.files[4:])):
                with tarfile.open(self.path(f"tars/set-{shard:03d}.tar"), "w", format=form) as tar:
                    for i, file in enumerate(files):
                        name = "deep/" * 20 + f"{i}"
                        for ending, content in ((".cls", str(i).encode()), ((".jpg", ".png")[i % 2], file), (".json", b"{}")):
                            member = tarfile.TarInfo(name + ending)
                            member.size = len(content)
                            member.mtime = 1234567890.5
                            tar.addfile(member, io.BytesIO(content))
            self.check("tars", "TAR", 7, {0: 2, 1: 2, 2: 2, 3: 1})
            self.check("tars/set-{000..001}.tar", "TAR", 7, {0: 2, 1: 2, 2: 2, 3: 1})

    def test_hdf5(self):
        with h5py.File(self.path("set.h5"), "w") as file:
            file.create_dataset("data", data=numpy.arange(2 * 3 * 4 * 5, dtype=numpy.uint8).reshape(2, 3, 4, 5),
                                chunks=(1, 3, 4, 5), compression="gzip")
            file.create_dataset("label", data=numpy.array([4, 2], numpy.int32))
        self.check("set.h5", "HDF5", 2, {2: 1, 4: 1})

    def folder_of_files(self):
        for i, file in enumerate(self.files):
            os.makedirs(self.path(f"set/class{i % 3}"), exist_ok=True)
            with open(self.path(f"set/class{i % 3}/{i}" + (".jpg", ".png")[i % 2]), "wb") as out:
                out.write(file)

    def test_built_lmdb(self):
        self.folder_of_files()
        self.tool("build", "set", "--to", "lmdb", "--output", self.path("built"))
        with lmdb.open(self.path("built"), readonly=True) as database, database.begin() as transaction:
            entries = list(transaction.cursor())
        order = sorted(range(7), key=lambda i: (i % 3, i))
        self.assertEqual([value for _, value in entries],
                         [b"\x22" + varint(len(self.files[i])) + self.files[i] + b"\x28" + varint(i % 3) + b"\x38\x01" for i in order])
        self.assertEqual(entries[0][0], b"00000000_class0/0.jpg")

    def test_built_tar(self):
        self.folder_of_files()
        self.tool("build", "set", "--to", "tar", "--output", self.path("built"), "--longer", "24", "--quality", "90")
        with tarfile.open(self.path("built/000000.tar")) as tar:
            names = tar.getnames()
            content = {name: tar.extractfile(name).read() for name in names}
        self.assertEqual(names[:2], ["00000000.jpg", "00000000.cls"])
        self.assertEqual([content[f"{i:08d}.cls"] for i in range(7)], [b"0", b"0", b"0", b"1", b"1", b"2", b"2"])
        for number, i in enumerate(sorted(range(7), key=lambda i: (i % 3, i))):
            image = cv2.imdecode(numpy.frombuffer(content[f"{number:08d}.jpg"], numpy.uint8), cv2.IMREAD_COLOR)
            original = cv2.imdecode(numpy.frombuffer(self.files[i], numpy.uint8), cv2.IMREAD_COLOR)
            self.assertEqual(max(image.shape[:2]), 24)
            area = cv2.resize(original, image.shape[1::-1], interpolation=cv2.INTER_AREA)
            self.assertLess(numpy.abs(area.astype(float) - image).mean(), 6)

    def test_mean(self):
        self.folder_of_files()
        self.tool("mean", "set", "--height", "20", "--width", "30", "--output", self.path("mean.binaryproto"))
        images = [cv2.imdecode(numpy.frombuffer(file, numpy.uint8), cv2.IMREAD_COLOR) for file in self.files]
        mean = numpy.mean([cv2.resize(image, (30, 20)) for image in images], axis=0)
        with open(self.path("mean.binaryproto"), "rb") as file:
            blob = file.read()
        # num, channels, height, width, then packed data.
        self.assertEqual(blob[:8], b"\x08\x01\x10\x03\x18\x14\x20\x1e")
        numbers = numpy.frombuffer(blob[-3 * 20 * 30 * 4:], "<f4").reshape(3, 20, 30)
        self.assertLess(numpy.abs(numbers.transpose(1, 2, 0) - mean).max(), 4)


if __name__ == "__main__":
    unittest.main()
