"""Programs by other people that read converted nets. Each reader takes a nets.ConvertedNet, raises where it does not
load the files, and returns outputs by blob; one that computes nothing returns none. Imports are inside, since no
Python has them all: OpenCV and the checker come from Debian, the others from PyPI (make test-referees)."""

import nets


def opencv_outputs(net, loaded, names):
    """`names` by blob: what OpenCV calls the outputs."""
    import cv2

    loaded.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    for blob, values in net.inputs.items():
        loaded.setInput(values, blob)
    return dict(zip(net.outputs, loaded.forward([names[blob] for blob in net.outputs])))


def opencv_caffe(net):
    import cv2

    loaded = cv2.dnn.readNetFromCaffe(str(net.prototxt), str(net.caffemodel))
    return opencv_outputs(net, loaded, nets.last_layers(net.prototxt))


def opencv_onnx(net):
    import cv2

    return opencv_outputs(net, cv2.dnn.readNetFromONNX(str(net.onnx)), {blob: blob for blob in net.outputs})


def onnx_checker(net):
    import onnx

    onnx.checker.check_model(str(net.onnx), full_check=True)
    return {}


def onnxruntime(net):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(net.onnx), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, net.inputs)))


READERS = {reader.__name__: reader for reader in (opencv_caffe, opencv_onnx, onnx_checker, onnxruntime)}
