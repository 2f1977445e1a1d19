"""What the programs that make data sets have in common: their options, and a folder that is written whole or not at all."""
import argparse
import contextlib
import json
import os
import shutil


def options(description, output, **counts):
    """A parser with --output, --seed and an option for each count; more can be added."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default=output, help="a folder that is not there yet (%(default)s)")
    parser.add_argument("--seed", type=positive, default=2022, help="another seed, another set (%(default)s)")
    for name, count in counts.items():
        parser.add_argument("--" + name, type=positive, default=count, help="images (%(default)s)")
    return parser


def positive(word):
    number = int(word)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"is {number}, expected a positive number")
    return number


@contextlib.contextmanager
def whole(folder):
    """Gives a folder to write into, which gets its name when all is written."""
    folder = folder.rstrip("/")
    if os.path.exists(folder):
        raise SystemExit(f"{folder}: is there already; remove it, or name another --output")
    draft = folder + ".part"
    shutil.rmtree(draft, ignore_errors=True)
    os.makedirs(draft)
    yield draft
    os.rename(draft, folder)


def write_contents(folder, contents):
    """contents.json: what is in the set, for those who use it."""
    with open(os.path.join(folder, "contents.json"), "w") as file:
        json.dump(contents, file, indent=1)
        file.write("\n")


def stem(path):
    """A file's name without its ending."""
    return os.path.splitext(os.path.basename(path))[0]
