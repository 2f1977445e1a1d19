#!/usr/bin/python3
"""A PyTorch checkpoint as HDF5, for `orepa_tool import`, and back.

usage: torch_to_h5.py checkpoint.pth state.h5
       torch_to_h5.py --reverse state.h5 checkpoint.pth

One array a tensor, under its name. {'state_dict': ...} and {'model': ...} are unpacked, and the
prefix `module.` of DataParallel is taken off. The way back writes a plain state_dict, which
load_state_dict(strict=True) takes. Needs Debian's python3-torch and python3-h5py. A .pth file is a
pickle, which can run anything as it is read: open only what you trust.
"""
import argparse
import os
import sys

import h5py
import torch


def state_of(checkpoint):
    """The state_dict inside what torch.save() was given."""
    for key in ("state_dict", "model"):
        if isinstance(checkpoint, dict) and isinstance(checkpoint.get(key), dict):
            return state_of(checkpoint[key])
    return checkpoint


def to_hdf5(source, target):
    state = state_of(torch.load(source, map_location="cpu"))
    if not isinstance(state, dict) or not all(torch.is_tensor(v) for v in state.values()):
        sys.exit(f"{source}: is no state_dict (tensors by name), nor has one as its 'state_dict' or "
                 "'model'; save model.state_dict()")
    draft = target + ".part"
    with h5py.File(draft, "w") as file:
        for name, tensor in state.items():
            if tensor.is_floating_point():
                tensor = tensor.float()  # NumPy has no bfloat16
            file[name.removeprefix("module.")] = tensor.detach().numpy()
    os.replace(draft, target)


def to_torch(source, target):
    with h5py.File(source, "r") as file:
        state = {name: torch.as_tensor(array[()]) for name, array in file.items()}
    torch.save(state, target)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--reverse", action="store_true", help="from HDF5 to a .pth file")
    arguments = parser.parse_args()
    (to_torch if arguments.reverse else to_hdf5)(arguments.source, arguments.target)


if __name__ == "__main__":
    main()
