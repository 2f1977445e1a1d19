"""MTCNN with its trained weights: what orepa_tool computes beside PyTorch, and the faces that it finds in photographs.

`make test-referees` runs it, with PyPI's facenet-pytorch in the folder FACENET and Debian's python3-torchvision, python3-pil
and opencv-doc, whose photographs it looks at.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import types
import unittest

import h5py
import numpy
import torch
from PIL import Image

import detect
import weights

TOOL = pathlib.Path(os.environ["TOOL"]).resolve()
FACENET = pathlib.Path(os.environ["FACENET"]) / "facenet_pytorch"
MODELS = pathlib.Path(__file__).resolve().parents[3] / "models/caffe"
PHOTOGRAPHS = pathlib.Path("/usr/share/doc/opencv-doc/examples/data")
TOLERANCE = 1e-5  # of the largest number of an output
PIXELS = 0.01  # of a box's corner

# Without what the package itself imports besides, which these nets do not need.
package = types.ModuleType("facenet_pytorch")
package.__path__ = [str(FACENET)]
sys.modules["facenet_pytorch"] = package
from facenet_pytorch.models import mtcnn as published  # noqa: E402


class Net:
    """One of the three in orepa_tool, from images to blobs by name."""

    def __init__(self, name, folder):
        self.model = MODELS / f"mtcnn_{name}" / "deploy.prototxt"
        self.weights = folder / f"{name}.caffemodel"
        self.files = folder / f"{name}.in.h5", folder / f"{name}.out.h5"
        trained = folder / f"{name}.h5"
        weights.write(FACENET / f"data/{name}.pt", name, trained)
        self.tool("convert", "--model", self.model, "--weights", trained, "--output", folder / f"{name}.prototxt",
                  "--output_weights", self.weights)

    def tool(self, *words):
        subprocess.run([str(TOOL), *map(str, words)], check=True, stdout=subprocess.DEVNULL)

    def __call__(self, images):
        given, made = self.files
        with h5py.File(given, "w") as file:
            file["in/data"] = images
        self.tool("run", "--model", self.model, "--weights", self.weights, "--weights_strict", "--input", given, "--output", made)
        with h5py.File(made) as file:
            return {blob: values[()] for blob, values in file["out"].items()}


class Mtcnn(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        folder = pathlib.Path(cls.temporary.name)
        cls.nets = {name: Net(name, folder) for name in weights.LAYERS}
        cls.cascade = published.MTCNN(keep_all=True)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def test_outputs_are_pytorchs(self):
        random = numpy.random.default_rng(1)
        # The blobs in the order in which PyTorch's modules return them; P-Net sees images of any size.
        cases = {"pnet": ((2, 3, 61, 47), ("conv4-2", "prob1")), "rnet": ((5, 3, 24, 24), ("conv5-2", "prob1")),
                 "onet": ((5, 3, 48, 48), ("conv6-2", "conv6-3", "prob1"))}
        for name, (shape, blobs) in cases.items():
            images = random.uniform(-1, 1, shape).astype("float32")
            with torch.no_grad():
                wanted = dict(zip(blobs, getattr(self.cascade, name)(torch.from_numpy(images))))
            got = self.nets[name](images)
            self.assertEqual(got.keys(), wanted.keys())
            for blob, values in wanted.items():
                self.assertEqual(got[blob].shape, values.shape)
                error = numpy.abs(got[blob] - values.numpy()).max() / numpy.abs(values.numpy()).max()
                print(f"{name} {blob}: {error:.1e} of the largest number")
                self.assertLessEqual(error, TOLERANCE)

    def test_faces_are_found(self):
        # Where a face is in each photograph: its eyes, nose and corners of the mouth lie in this box.
        faces = {"messi5.jpg": (225, 90, 260, 135), "basketball1.png": (70, 90, 105, 135), "basketball2.png": (70, 90, 105, 135)}
        for photograph, (left, top, right, bottom) in faces.items():
            image = numpy.array(Image.open(PHOTOGRAPHS / photograph).convert("RGB"))
            boxes, points = detect.detect(image, *self.nets.values())
            wanted, scores, marks = self.cascade.detect(image, landmarks=True)
            self.assertEqual(boxes.shape, (len(wanted), 5))
            corners = numpy.abs(boxes[:, :4] - wanted.astype("float64")).max()
            print(f"{photograph}: {boxes[0, :4].round(1)}, probability {boxes[0, 4]:.4f}; {corners:.1e} pixels from PyTorch's")
            self.assertLessEqual(corners, PIXELS)
            self.assertLessEqual(numpy.abs(boxes[:, 4] - scores.astype("float64")).max(), TOLERANCE)
            self.assertLessEqual(numpy.abs(points - marks.astype("float64")).max(), PIXELS)
            self.assertEqual(len(boxes), 1)
            for x, y in points[0]:
                self.assertTrue(left < x < right and top < y < bottom, (photograph, x, y))


if __name__ == "__main__":
    unittest.main()
