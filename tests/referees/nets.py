"""Nets to show to the referees: random weights, converted files, and what orepa_tool itself says."""

import json
import re
import subprocess

import h5py
import numpy


def run(tool, *words):
    """Calls orepa_tool; returns what it printed, or raises with what it said."""
    done = subprocess.run([tool, *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"orepa_tool {' '.join(map(str, words))}: code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def parameter_shapes(tool, model, folder):
    """Shapes by LAYER/NAME: what orepa_tool misses in a file of weights that holds none."""
    empty = folder / "empty.h5"
    with h5py.File(empty, "w") as file:
        file.create_group("data")
    try:
        run(tool, "convert", "--model", model, "--weights", empty, "--output", folder / "none.onnx", "--to", "onnx")
    except RuntimeError as error:
        rows = re.findall(r"^  missing +(\S+)  +(\d+(?: x \d+)*|scalar)$", str(error), re.MULTILINE)
        if not rows:
            raise
        return {name: tuple(map(int, re.findall(r"\d+", shape))) for name, shape in rows}
    return {}


def random_values(name, shape, random):
    """Numbers that keep the size of activations about the same, with statistics far from 0 and 1."""
    kind = name.rpartition("/")[2].rpartition(".")[2]
    if kind == "variance":
        return random.uniform(0.5, 2, shape)
    if kind == "scale":
        return random.uniform(0.3, 1.2, shape)
    if len(shape) == 1:
        return random.uniform(-0.5, 0.5, shape)
    return random.normal(0, numpy.sqrt(2 / numpy.prod(shape[1:])), shape)


def write_random_weights(tool, model, folder, seed=1):
    random = numpy.random.default_rng(seed)
    path = folder / "weights.h5"
    shapes = parameter_shapes(tool, model, folder)
    with h5py.File(path, "w") as file:
        file.create_group("data")
        for name, shape in shapes.items():
            file["data/" + name] = random_values(name, shape, random).astype("float32")
    return path


def layers(prototxt):
    """The text of every layer of a file that convert has written."""
    return re.split(r"^layer \{", prototxt.read_text(), flags=re.MULTILINE)[1:]


def input_shapes(prototxt):
    """Shapes by blob of the Input layers."""
    inputs = [layer for layer in layers(prototxt) if 'type: "Input"' in layer]
    return {re.search(r'top: "([^"]*)"', layer).group(1): [int(extent) for extent in re.findall(r"dim: (\d+)", layer)]
            for layer in inputs}


def name_of(layer):
    return re.search(r'name: "([^"]*)"', layer).group(1)


def layer_names(prototxt):
    return [name_of(layer) for layer in layers(prototxt)]


def last_layers(prototxt):
    """By blob, the last layer that writes it."""
    return {top: name_of(layer) for layer in layers(prototxt) for top in re.findall(r'top: "([^"]*)"', layer)}


class ConvertedNet:
    """One model with random weights, converted to Caffe and to ONNX in `folder`; inputs, and the outputs for them."""

    def __init__(self, tool, model, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.prototxt, self.caffemodel = folder / "deploy.prototxt", folder / "deploy.caffemodel"
        self.onnx = folder / "deploy.onnx"
        weights = write_random_weights(tool, model, folder)
        convert = ("convert", "--model", model, "--weights", weights)
        run(tool, *convert, "--output", self.prototxt, "--output_weights", self.caffemodel)
        report = json.loads(run(tool, *convert, "--output", self.onnx, "--to", "onnx", "--json"))
        if not report["relative_error"] <= 1e-4 or report["output"] != str(self.onnx):
            raise RuntimeError(f"convert reports {report}")

        random = numpy.random.default_rng(2)
        shapes = input_shapes(self.prototxt)
        self.inputs = {blob: random.normal(size=shape).astype("float32") for blob, shape in shapes.items()}
        with h5py.File(folder / "in.h5", "w") as file:
            for blob, values in self.inputs.items():
                file["in/" + blob] = values
        run(tool, "run", "--model", self.prototxt, "--weights", self.caffemodel, "--weights_strict",
            "--input", folder / "in.h5", "--output", folder / "out.h5")
        with h5py.File(folder / "out.h5") as file:
            self.outputs = {}
            file["out"].visititems(lambda name, item: self.outputs.update({name: item[()]})
                                   if isinstance(item, h5py.Dataset) else None)
