"""A TrueType font of blocks for the tests: each character's shape is of its own, each font's a little different."""
import random
import struct

EM = 1000
GRID = 5


def blocks(character):
    """Which squares of a grid the character fills: the same ones in every font."""
    choice = random.Random(ord(character))
    return [(column, row) for row in range(GRID) for column in range(GRID) if choice.random() < 0.5]


def outline(squares, thickness):
    """A glyf entry: a contour of four points for each square, which are `thickness` of a square's pitch wide."""
    pitch = 800 // GRID
    corners = []
    for column, row in squares:
        left, low = column * pitch, row * pitch
        right, high = left + int(thickness * pitch), low + int(thickness * pitch)
        corners += [(left, low), (left, high), (right, high), (right, low)]
    xs, ys = zip(*corners)
    data = struct.pack(">hhhhh", len(squares), min(xs), min(ys), max(xs), max(ys))
    data += struct.pack(f">{len(squares)}H", *range(3, 4 * len(squares), 4)) + struct.pack(">H", 0)
    data += bytes([1]) * len(corners)  # points on the curve, coordinates as words
    for values in (xs, ys):
        data += struct.pack(f">{len(values)}h", *(now - before for now, before in zip(values, (0, *values))))
    return data + bytes(-len(data) % 4)


def table_of_names(family):
    text = family.encode("utf-16-be")
    records = [struct.pack(">HHHHHH", 3, 1, 0x409, number, len(text), 0) for number in (1, 4)]
    return struct.pack(">HHH", 0, len(records), 6 + 12 * len(records)) + b"".join(records) + text


def table_of_characters(characters):
    """cmap's format 12: groups of one character each."""
    groups = b"".join(struct.pack(">III", ord(c), ord(c), index + 1) for index, c in enumerate(characters))
    body = struct.pack(">HHIII", 12, 0, 16 + len(groups), 0, len(characters)) + groups
    return struct.pack(">HHHHI", 0, 1, 3, 10, 12) + body


def font(family, characters, thickness, shapes=blocks):
    """The bytes of a font file. `characters`: sorted; `shapes`: the squares of a character."""
    outlines = [outline([(0, 0)], 0.1)] + [outline(shapes(c), thickness) for c in characters]
    places = [0]
    for entry in outlines:
        places.append(places[-1] + len(entry))
    count = len(outlines)
    tables = {
        b"cmap": table_of_characters(characters),
        b"glyf": b"".join(outlines),
        b"head": struct.pack(">IIIIHHQQhhhhHHhhh", 0x10000, 0x10000, 0, 0x5F0F3CF5, 0, EM, 0, 0, 0, 0, EM, EM, 0, 8, 2, 1, 0),
        b"hhea": struct.pack(">IhhhHhhhhhhhhhhhH", 0x10000, EM, -200, 0, EM, 0, 0, EM, 1, 0, 0, 0, 0, 0, 0, 0, count),
        b"hmtx": struct.pack(">Hh", EM, 0) * count,
        b"loca": struct.pack(f">{len(places)}I", *places),
        b"maxp": struct.pack(">IH13H", 0x10000, count, 4 * GRID**2, GRID**2, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0),
        b"name": table_of_names(family),
    }
    start = 12 + 16 * len(tables)
    directory, data = struct.pack(">IHHHH", 0x10000, len(tables), 128, 3, 0), b""
    for tag in sorted(tables):
        directory += struct.pack(">4sIII", tag, 0, start + len(data), len(tables[tag]))
        data += tables[tag] + bytes(-len(tables[tag]) % 4)
    return directory + data
