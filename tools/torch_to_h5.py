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
import pickle
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
    try:
        state = state_of(torch.load(source, map_location="cpu"))
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        sys.exit(f"{source}: is no checkpoint of PyTorch ({error}); the other direction is --reverse")
    if not isinstance(state, dict) or not all(torch.is_tensor(v) for v in state.values()):
        sys.exit(f"{source}: is no state_dict (tensors by name), nor has one as its 'state_dict' or "
                 "'model'; save model.state_dict()")
    with h5py.File(target, "w") as file:
        for name, tensor in state.items():
            if tensor.is_floating_point():
                tensor = tensor.float()  # NumPy has no bfloat16
            file[name.removeprefix("module.")] = tensor.detach().numpy()


def to_torch(source, target):
    if not h5py.is_hdf5(source):
        sys.exit(f"{source}: is no HDF5 file; --reverse is for the way from HDF5 to a .pth file")
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
    source, target = arguments.source, arguments.target
    if os.path.exists(target) and os.path.exists(source) and os.path.samefile(source, target):
        sys.exit(f"{target}: is read and would be overwritten; give the output another name")
    draft = target + ".part"
    try:
        (to_torch if arguments.reverse else to_hdf5)(source, draft)
        os.replace(draft, target)
    except OSError as error:
        sys.exit(str(error))
    finally:
        if os.path.exists(draft):
            os.remove(draft)


if __name__ == "__main__":
    main()
