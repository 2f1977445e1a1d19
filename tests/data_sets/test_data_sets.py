"""The programs under data/ with fonts, stamps and photographs that are made up, so that no package is needed."""
import collections
import filecmp
import glob
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

import numpy
from PIL import Image

import made_up_font

DATA = pathlib.Path(__file__).resolve().parents[2] / "data"
sys.path.insert(0, str(DATA))
import debian
import fonts
import glyphs
import output
import photographs
import stamps


def same_bytes(left, right):
    """Whether two folders hold the same files."""
    names = [sorted(str(path.relative_to(folder)) for path in pathlib.Path(folder).rglob("*") if path.is_file())
             for folder in (left, right)]
    return names[0] == names[1] and len(names[0]) > 0 and not any(filecmp.cmpfiles(left, right, names[0], shallow=False)[1:])


def opened(path):
    with Image.open(path) as image:
        image.load()
        return image


def noise(width, height, seed):
    return Image.fromarray(numpy.random.default_rng(seed).integers(0, 256, (height, width, 3), numpy.uint8))


class Test(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name

    def made(self, name, make, *what):
        folder = f"{self.folder}/{name}"
        with output.whole(folder) as draft:
            contents = make(draft, *what)
        with open(f"{folder}/contents.json") as file:
            self.assertEqual(json.load(file), contents)
        return folder, contents


class Glyphs(Test):
    def write(self, package, family, thickness=0.9, characters=fonts.CHARACTERS, **how):
        path = f"{self.folder}/{package}-{family}-{thickness}.ttf"
        pathlib.Path(path).write_bytes(made_up_font.font(family, sorted(characters), thickness, **how))
        return package, path

    def files(self):
        """Twelve designs, three of which are of two fonts."""
        return [self.write(f"fonts-design{number}", f"family{number}", 0.6 + 0.03 * number + extra)
                for number in range(12) for extra in ((0, 0.01) if number < 3 else (0,))]

    def test_fonts_that_cannot_be_used_are_left_out(self):
        good = self.files()
        damaged = ("fonts-damaged", f"{self.folder}/damaged.ttf")
        pathlib.Path(damaged[1]).write_bytes(b"no font")
        bad = [damaged, good[0], self.write("fonts-incomplete", "incomplete", characters="ABC"),
               self.write("fonts-one-shape", "one", shapes=lambda c: made_up_font.blocks("A")),
               self.write("fonts-dingbats", "other", shapes=lambda c: made_up_font.blocks(chr(ord(c) + 256)))]
        read = fonts.read(good + bad)
        self.assertEqual([font.path for font in read], [path for _, path in good])
        self.assertEqual({font.characters for font in read}, {fonts.CHARACTERS})
        self.assertEqual([font.family for font in read[:3]], ["family0", "family0", "family1"])

    def test_a_font_of_capitals_has_no_small_letters(self):
        capitals = self.write("fonts-capitals", "capitals", shapes=lambda c: made_up_font.blocks(c.upper()))
        self.assertEqual(fonts.read(self.files() + [capitals])[-1].characters, fonts.CHARACTERS[:36])

    def test_clones_are_one_design(self):
        self.assertEqual(fonts.design("fonts-liberation", "Liberation Sans"), fonts.design("fonts-texgyre", "TeX Gyre Heros"))
        self.assertNotEqual(fonts.design("fonts-dustin", "Balker"), fonts.design("fonts-dustin", "Dustismo"))
        self.assertEqual(fonts.design("fonts-lato", "Lato"), fonts.design("fonts-lato", "Lato Black"))

    def test_splits_share_no_design(self):
        read = fonts.read(self.files())
        parts = glyphs.split(read, numpy.random.default_rng(1))
        self.assertEqual(sorted(name for part in parts for name in part), sorted({font.design for font in read}))
        self.assertEqual([len(part) for part in parts], [9, 1, 2])

    def test_a_seed_gives_the_same_bytes(self):
        read = fonts.read(self.files())
        folders = [self.made(str(index), glyphs.make, read, (90, 45, 46), "idx", seed)[0]
                   for index, seed in enumerate((1, 1, 2))]
        self.assertTrue(same_bytes(folders[0], folders[1]))
        self.assertFalse(same_bytes(folders[0], folders[2]))

    def test_idx_and_folder_are_the_same_images(self):
        read = fonts.read(self.files())
        counts = {"train": 90, "val": 45, "test": 46}
        idx, contents = self.made("idx", glyphs.make, read, counts.values(), "idx", 1)
        folder, _ = self.made("folder", glyphs.make, read, counts.values(), "folder", 1)
        for part, count in counts.items():
            with gzip.open(f"{idx}/{part}-images-idx3-ubyte.gz") as file:
                images = file.read()
            with gzip.open(f"{idx}/{part}-labels-idx1-ubyte.gz") as file:
                labels = file.read()
            self.assertEqual(images[:16], bytes([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 28, 0, 0, 0, 28]))
            self.assertEqual(labels[:8], bytes([0, 0, 8, 1, 0, 0, 0, count]))
            self.assertEqual(len(images), 16 + 28 * 28 * count)
            with open(f"{idx}/{part}-images-idx3-ubyte.gz", "rb") as file:
                self.assertEqual(file.read(8), b"\x1f\x8b\x08" + bytes(5))  # gzip's, without name and time
            # A reader of folders numbers them as they are sorted.
            names = sorted(os.listdir(f"{folder}/{part}"))
            self.assertEqual(names, contents["classes"])
            found = {int(path.stem): path for path in pathlib.Path(folder, part).rglob("*.png")}
            self.assertEqual([names.index(found[index].parent.name) for index in range(count)], list(labels[8:]))
            self.assertEqual(b"".join(opened(found[index]).tobytes() for index in range(count)), images[16:])
            self.assertEqual(collections.Counter(labels[8:53]), collections.Counter(range(45)))  # each once in turn


class Stamps(Test):
    def setUp(self):
        super().setUp()
        self.classes = {}
        for number, name in enumerate(("bird", "road_sign", "tool")):
            paths = [f"{self.folder}/{name[0]}{design}{kind}.png" for design in range(4) for kind in ("_one", "_two")]
            for path in paths:
                stamp = Image.new("RGBA", (90, 60), (0, 0, 0, 0))
                stamp.paste((250, 80 * number, 250), (20, 10, 80, 50))
                stamp.save(path)
            self.classes[name] = paths
        self.backgrounds = [f"{self.folder}/scene{number}.png" for number in range(5)]
        for number, path in enumerate(self.backgrounds):
            noise(40, 30, number).resize((400, 300), Image.BICUBIC).point(lambda value: value // 4).save(path)

    def make(self, name, count=24, size=120, seed=1):
        return self.made(name, stamps.make, self.classes, self.backgrounds, count, size, seed)

    def test_a_seed_gives_the_same_bytes(self):
        folders = [self.make(str(index), seed=seed)[0] for index, seed in enumerate((1, 1, 2))]
        self.assertTrue(same_bytes(folders[0], folders[1]))
        self.assertFalse(same_bytes(folders[0], folders[2]))

    def test_splits_share_no_design_and_no_background(self):
        contents = self.make("set")[1]
        train, val = contents["train"], contents["val"]
        designs = [{path.split("_")[0] for path in part["stamps"]["bird"]} for part in (train, val)]
        self.assertEqual([len(part) for part in designs], [3, 1])
        self.assertEqual(designs[0] & designs[1], set())
        self.assertEqual(len(train["backgrounds"]), 4)
        self.assertEqual(set(train["backgrounds"]) & set(val["backgrounds"]), set())

    def test_images_are_jpeg_of_about_the_size(self):
        folder = self.make("set", count=120)[0]
        self.assertEqual({part: len(glob.glob(f"{folder}/{part}/*/*.jpg")) for part in ("train", "val")},
                         {"train": 120, "val": 30})
        kinds = collections.Counter()
        for path in glob.glob(f"{folder}/train/*/*.jpg"):
            image = opened(path)
            self.assertEqual(image.format, "JPEG")
            self.assertTrue(108 <= max(image.size) <= 132, image.size)
            kinds.update(["upright"] * (image.width < image.height) + ["grey"] * (image.mode == "L")
                         + ["progressive"] * ("progressive" in image.info))
        self.assertTrue(10 <= kinds["upright"] <= 60 and 1 <= kinds["grey"] <= 12 and 3 <= kinds["progressive"] <= 30, kinds)

    def test_a_stamp_can_be_seen(self):
        folder = self.make("set")[0]
        for path in glob.glob(f"{folder}/*/bird/*.jpg"):
            # Backgrounds are below 64, lightened to less than 120; a bird is 100 there at least, of a tenth of all pixels.
            pixels = numpy.asarray(opened(path).convert("RGB"), int)
            self.assertGreater((pixels.max(2) > 160).mean(), 0.02, path)

    def test_what_cannot_be_seen_is_refused(self):
        with unittest.mock.patch.object(stamps, "LEAST_CONTRAST", 256):
            with self.assertRaisesRegex(SystemExit, "b0_one.png.*: in 200 draws none had a contrast of 256"):
                stamps.make_split(self.folder, {"bird": self.classes["bird"]}, self.backgrounds, 1, 120, 1)

    def test_one_design_cannot_be_split(self):
        with self.assertRaisesRegex(SystemExit, "at least two"):
            stamps.split(["apple_red.png", "apple_green.png"], stamps.design, numpy.random.default_rng(1))

    def test_what_is_a_stamp_of_which_class(self):
        found = stamps.stamps(f"/usr/share/tuxpaint/stamps/{path}" for path in (
            "animals/birds/owl.png", "animals/birds/owl.txt", "animals/birds/cartoon/hen.png", "vehicles/auto/truck.png",
            "vehicles/wheel_tractor.png", "seasonal/star.png"))
        self.assertEqual({name: [os.path.basename(path) for path in paths] for name, paths in found.items() if paths},
                         {"bird": ["owl.png"], "vehicle": ["truck.png"]})


class Photographs(Test):
    def make(self, name, seed, paths):
        return self.made(name, photographs.make, paths, 7, 3, seed)

    def test_tiles(self):
        sharp, wide, smooth = (f"{self.folder}/{name}.png" for name in ("sharp", "wide", "smooth"))
        noise(520, 400, 1).save(sharp)
        noise(200, 150, 2).resize((1700, 1300), Image.BILINEAR).save(wide)
        Image.new("RGB", (640, 480)).save(smooth)
        paths = [sharp, smooth, wide]
        folders = [self.make(str(index), seed, paths)[0] for index, seed in enumerate((1, 1, 2))]
        self.assertTrue(same_bytes(folders[0], folders[1]))
        self.assertFalse(same_bytes(folders[0], folders[2]))
        self.assertEqual(set(os.listdir(f"{folders[0]}/small")), {"sharp", "wide"})
        self.assertEqual(os.listdir(f"{folders[0]}/large"), ["wide"])
        for part, sizes, count in (("small", photographs.SMALL, 7), ("large", photographs.LARGE, 3)):
            images = [opened(path) for path in glob.glob(f"{folders[0]}/{part}/*/*.jpg")]
            self.assertEqual(len(images), count)
            self.assertLessEqual({image.size for image in images}, set(sizes))

    def test_smooth_photographs_alone_are_refused(self):
        path = f"{self.folder}/smooth.png"
        Image.new("RGB", (1700, 1300)).save(path)
        with self.assertRaisesRegex(SystemExit, "0 have"):
            photographs.make(f"{self.folder}/set", [path], 1, 1, 1)


class Output(Test):
    def test_a_folder_is_whole_or_not_there(self):
        folder = f"{self.folder}/set"
        with self.assertRaises(ZeroDivisionError), output.whole(folder) as draft:
            pathlib.Path(draft, "half").touch()
            1 / 0
        self.assertFalse(os.path.exists(folder))
        with output.whole(folder + "/") as draft:
            pathlib.Path(draft, "all").touch()
        self.assertEqual(os.listdir(folder), ["all"])
        with self.assertRaisesRegex(SystemExit, "is there already"), output.whole(folder):
            pass

    def test_a_package_that_is_missing_is_named(self):
        with self.assertRaisesRegex(SystemExit, "fonts-of-nobody: is not installed"):
            debian.files("fonts-of-nobody")

    def test_programs_explain_their_options(self):
        for name in ("glyphs", "stamps", "photographs"):
            text = subprocess.run([sys.executable, DATA / f"{name}.py", "--help"], check=True, text=True,
                                  capture_output=True).stdout
            self.assertIn(f"build/data/{name}", text)
            self.assertTrue(debian.packages(name))
        wrong = subprocess.run([sys.executable, DATA / "glyphs.py", "--train", "0"], text=True, capture_output=True)
        self.assertEqual((wrong.returncode, "expected a positive number" in wrong.stderr), (2, True), wrong.stderr)


if __name__ == "__main__":
    unittest.main()
