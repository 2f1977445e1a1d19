"""Latin fonts among the files of packages, each with the design that it is one of.

A design is what one never sees twice: the weights of a family and its clones in other packages (Liberation, Arimo, Nimbus,
TeX Gyre, FreeFont, ...) are one.
"""
import collections
import re
import string
from typing import NamedTuple

import numpy
from PIL import Image, ImageDraw, ImageFont

import debian
import output

CHARACTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
# Characters whose shapes differ by size alone are one class, as in EMNIST's "merge".
MERGED = {c: c.upper() for c in "cjkmopsuvwxyz"} | {"0": "O", "1": "I", "l": "I", "i": "I"}
CLASSES = sorted({MERGED.get(c, c) for c in CHARACTERS})
LABELS = {c: CLASSES.index(MERGED.get(c, c)) for c in CHARACTERS}
CASED = "abdefghnqrt"  # letters whose two cases are two classes

# Packages (less "fonts-") whose designs are the same or look it, and the name that these go by.
SAME = {
    "clones": "liberation croscore arkpandora urw-base35 texgyre freefont-ttf stix tlwg-.* lmodern cmu tiresias "
              "century-catalogue",
    "noto": "open-sans noto-core",
    "lato": "lato crosextra-carlito",
    "vera": "dejavu-core dejavu-extra hack-ttf opendyslexic adf-verana",
    "karla": "karla karmilla",
    "lobster": "lobster lobstertwo",
    "roboto": "roboto-.*",
    "monofur": "monofur eurofurence",
    "cabin": "cabin cabinsketch",
    "garamond": "ebgaramond yrsa-rasa",
    "junicode": "junicode elstob",
    "averia": "averia-.*",
    "charis": "sil-charis sil-doulos",
    "league": "league-.*",
}
COLLECTIONS = {"aenigma", "dustin", "georgewilliams", "sjfonts", "roadgeek", "tomsontalks"}  # of unrelated designs
NOT_LATIN = re.compile(r"math|symbol|dingbat|D050000L|emoji|StandardSymbols|Variable|\[w", re.IGNORECASE)
NOTO_LATIN = re.compile("Noto(Sans|Serif|SansMono|SansDisplay|SerifDisplay)-")  # of a file for each script
LEAST_LATIN = 0.35  # of a font's characters that look most like the mean of their own class


class Font(NamedTuple):
    path: str
    family: str
    design: str
    characters: str


def design(package, family):
    short = package.removeprefix("fonts-")
    for name, patterns in SAME.items():
        if any(re.fullmatch(pattern, short) for pattern in patterns.split()):
            return name
    return f"{short}:{family.split()[0].lower()}" if short in COLLECTIONS else short


def opened(path, size):
    # The plain layout, whether or not there is a library for a finer one.
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def glyph(font, character):
    """Its mask, without borders; None where there is nothing or something huge."""
    left, top, right, bottom = font.getbbox(character)
    width, height = right - left, bottom - top
    if not 1 < width <= 400 or not 1 < height <= 400:
        return None
    image = Image.new("L", (width, height))
    ImageDraw.Draw(image).text((-left, -top), character, fill=255, font=font)
    return image if image.getbbox() else None


def template(image):
    """A glyph as a vector of length 1, whatever its size."""
    side = max(image.size)
    square = Image.new("L", (side, side))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    vector = numpy.asarray(square.resize((16, 16), Image.BILINEAR), numpy.float32).ravel()
    vector = vector - vector.mean()
    return vector / (numpy.linalg.norm(vector) + 1e-6)


def glyphs(font):
    """By character; None if some are missing: a box stands in their place, or one shape in that of many."""
    images = {c: glyph(font, c) for c in CHARACTERS}
    if None in images.values():
        return None
    shapes = collections.Counter(image.tobytes() for image in images.values())
    box = glyph(font, "\ufffe")
    if max(shapes.values()) > 4 or box is not None and shapes[box.tobytes()] > 1:
        return None
    return images


def read(files):
    """Fonts of (package, path) pairs, without those that cannot be used, are no Latin ones or the same as another."""
    fonts, templates, seen = [], [], set()
    for package, path in files:
        try:
            font = opened(path, 40)
            images = glyphs(font)
        except OSError as error:  # of FreeType
            print(f"{path}: left out: {error}")
            continue
        key = images and tuple(image.tobytes() for image in images.values())
        if images is None or key in seen:
            continue
        seen.add(key)
        vectors = {c: template(image) for c, image in images.items()}
        only_capitals = sum(float(vectors[c] @ vectors[c.upper()]) > 0.93 for c in CASED) >= 3
        characters = "".join(c for c in CHARACTERS if not (only_capitals and c.islower()))
        family = font.getname()[0] or output.stem(path)
        fonts.append(Font(path, family, design(package, family), characters))
        templates.append(vectors)
    return latin(fonts, templates) if fonts else []


def latin(fonts, templates):
    """Those whose characters look like those of the others: dingbats and Greek letters do not."""
    means = numpy.stack([numpy.mean([vectors[c] for vectors in templates], axis=0) for c in CHARACTERS])
    means /= numpy.linalg.norm(means, axis=1, keepdims=True)
    labels = numpy.array([LABELS[c] for c in CHARACTERS])
    kept = []
    for font, vectors in zip(fonts, templates):
        nearest = (numpy.stack([vectors[c] for c in font.characters]) @ means.T).argmax(1)
        if numpy.mean(labels[nearest] == [LABELS[c] for c in font.characters]) >= LEAST_LATIN:
            kept.append(font)
    return kept


def files(packages):
    """The (package, path) pairs of their font files."""
    for package in packages:
        for path in debian.files(package):
            name = path.rsplit("/", 1)[1]
            if not re.search(r"\.(ttf|otf|t1|pfb)$", name, re.IGNORECASE) or NOT_LATIN.search(name):
                continue
            if package != "fonts-noto-core" or NOTO_LATIN.match(name):
                yield package, path
