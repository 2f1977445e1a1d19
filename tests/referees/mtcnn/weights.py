"""MTCNN's trained weights of PyPI's facenet-pytorch as files for models/caffe/mtcnn_{pnet,rnet,onet}."""

import h5py
import torch

# PyTorch's modules by the layers of the prototxt.
LAYERS = {
    "pnet": {"conv1": "conv1", "PReLU1": "prelu1", "conv2": "conv2", "PReLU2": "prelu2", "conv3": "conv3", "PReLU3": "prelu3",
             "conv4-1": "conv4_1", "conv4-2": "conv4_2"},
    "rnet": {"conv1": "conv1", "prelu1": "prelu1", "conv2": "conv2", "prelu2": "prelu2", "conv3": "conv3", "prelu3": "prelu3",
             "conv4": "dense4", "prelu4": "prelu4", "conv5-1": "dense5_1", "conv5-2": "dense5_2"},
    "onet": {"conv1": "conv1", "prelu1": "prelu1", "conv2": "conv2", "prelu2": "prelu2", "conv3": "conv3", "prelu3": "prelu3",
             "conv4": "conv4", "prelu4": "prelu4", "conv5": "dense5", "prelu5": "prelu5", "conv6-1": "dense6_1",
             "conv6-2": "dense6_2", "conv6-3": "dense6_3"}}
# What reads an image of 3 x 3 as a vector: PyTorch's module takes it by columns, rows and channels.
FLATTENING = {"rnet": ("dense4", 64), "onet": ("dense5", 128)}


def write(checkpoint, net, path):
    """checkpoint: facenet_pytorch/data/NET.pt; path: an .h5 as orepa_tool reads it."""
    state = torch.load(checkpoint)
    if net in FLATTENING:
        module, channels = FLATTENING[net]
        weight = state[f"{module}.weight"]
        state[f"{module}.weight"] = weight.reshape(len(weight), 3, 3, channels).permute(0, 3, 2, 1).reshape(weight.shape)
    with h5py.File(path, "w") as file:
        for layer, module in LAYERS[net].items():
            for number, part in enumerate(("weight", "bias")):
                if f"{module}.{part}" in state:
                    file[f"data/{layer}/{number}"] = state.pop(f"{module}.{part}").numpy()
    if state:
        raise ValueError(f"{checkpoint}: tensors that no layer takes: {sorted(state)}")
