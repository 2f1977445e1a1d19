"""Programs by other people that read converted nets. Each reader takes a nets.ConvertedNet, raises where it does not
load the files, and returns outputs by blob; one that computes nothing returns None. Imports are inside, since no
Python has them all: OpenCV and the checker come from Debian, the others from PyPI (make test-referees)."""

import nets


def opencv_outputs(net, loaded):
    """Outputs go by the names of tensors in ONNX; in Caffe by those of layers, some of which it calls after their blob."""
    import cv2

    loaded.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    for blob, values in net.inputs.items():
        loaded.setInput(values, blob)
    ends, layers = loaded.getUnconnectedOutLayersNames(), nets.last_layers(net.prototxt)
    names = [blob if blob in ends else layers[blob] for blob in net.outputs]
    return dict(zip(net.outputs, loaded.forward(names)))


def opencv_caffe(net):
    import cv2

    return opencv_outputs(net, cv2.dnn.readNetFromCaffe(str(net.prototxt), str(net.caffemodel)))


def caffe(net):
    """caffe/forward.cpp, beside the Python of the virtual environment."""
    import pathlib
    import subprocess
    import sys

    import h5py

    program = pathlib.Path(sys.executable).with_name("caffe_forward")
    given, made = net.prototxt.with_name("in.h5"), net.prototxt.with_name("caffe.h5")
    done = subprocess.run([program, net.prototxt, net.caffemodel, given, made], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    with h5py.File(made) as file:
        return {blob: file[blob][()] for blob in net.outputs}


def opencv_onnx(net):
    import cv2

    return opencv_outputs(net, cv2.dnn.readNetFromONNX(str(net.onnx)))


def onnx_checker(net):
    import onnx

    onnx.checker.check_model(str(net.onnx), full_check=True)


def onnxruntime(net):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(net.onnx), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, net.inputs)))


def netron(net):
    """Netron's modules in Node: it has to see every layer with its weights, whose sums stand for their numbers. It has
    to find in the .caffemodel what the ONNX file holds under the name of the same layer."""
    import importlib.util
    import json
    import pathlib
    import subprocess

    import numpy
    import onnx

    folder = pathlib.Path(importlib.util.find_spec("netron").submodule_search_locations[0])
    (folder / "package.json").write_text('{"type": "module"}')  # for Node 18, which does not find it out by itself
    files = (net.prototxt, net.caffemodel, net.onnx)
    script = pathlib.Path(__file__).with_name("netron.mjs")
    done = subprocess.run(["node", script, folder, *files], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    prototxt, caffemodel, onnx_file = map(json.loads, done.stdout.splitlines())

    graph = onnx.load(str(net.onnx)).graph
    held = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}

    def compare(what, seen, expected):
        if seen != expected:
            raise ValueError(f"it sees {what} {seen}, not {expected}")

    def compare_weights(seen, name):
        compare(f"the shape of {name}", tuple(seen["shape"]), held[name].shape)
        expected = held[name].sum(dtype="float64")
        if not abs(seen["sum"] - expected) <= 1e-9 * numpy.abs(held[name]).sum(dtype="float64"):
            raise ValueError(f"it sees {name} with the sum {seen['sum']}, not {expected}")

    caffe_layers = set(nets.layer_names(net.prototxt)) - set(net.inputs)
    for seen in (prototxt, caffemodel):
        compare("layers", {layer["name"] for layer in seen["layers"]}, caffe_layers)
    compare("nodes", [layer["name"] for layer in onnx_file["layers"]], [node.name for node in graph.node])
    for layer in caffemodel["layers"]:
        if layer["type"] in ("Convolution", "InnerProduct"):
            names = [name for name in (f"{layer['name']}/weight", f"{layer['name']}/bias") if name in held]
            if names:  # else it is part of a pool, which ONNX has as it is
                compare(f"the number of weights of {layer['name']}", len(layer["weights"]), len(names))
            for weights, name in zip(layer["weights"], names):
                compare_weights(weights, name)
    numbers = [weights for layer in onnx_file["layers"] for weights in layer["weights"] if weights["type"] == "float32"]
    compare("weights", {weights["name"] for weights in numbers},
            {name for name, values in held.items() if values.dtype == "float32"})
    for weights in numbers:
        compare_weights(weights, weights["name"])


READERS = {reader.__name__: reader for reader in (caffe, opencv_caffe, opencv_onnx, onnx_checker, onnxruntime, netron)}
