"""Checkpoints as PyTorch itself writes and loads them: .pth to .caffemodel and back.

`make test-checkpoints` runs it. Needs Debian's python3-torch and python3-h5py.
"""
import os
import pathlib
import subprocess
import tempfile
import unittest

import h5py
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = pathlib.Path(os.environ["TOOL"]).resolve()
SCRIPT = ROOT / "tools/torch_to_h5.py"
GOLDEN = ROOT / "tests/golden"
PLAIN = GOLDEN / "net_resnet_basic_base.prototxt"


def state_of(golden):
    """The golden tensors, and the counters that a real state_dict has beside them."""
    state = {}
    for name, array in golden.items():
        state[name] = torch.from_numpy(array[()])
        if name.endswith(".running_var"):
            counter = name.removesuffix("running_var") + "num_batches_tracked"
            state[counter] = torch.tensor(0)
    return state


class Module(torch.nn.Module):
    """Has the tensors of a state_dict, and load_state_dict() is as strict about them."""

    def __init__(self, state):
        super().__init__()
        for name, tensor in state.items():
            owner, (*path, last) = self, name.split(".")
            for part in path:
                if not hasattr(owner, part):
                    owner.add_module(part, torch.nn.Module())
                owner = getattr(owner, part)
            owner.register_buffer(last, torch.full_like(tensor, 7))


class Checkpoints(unittest.TestCase):
    def come_back_as_they_were(self, name, model, folder):
        """`model`: the prototxt of the golden net `name`."""
        def run(*words):
            subprocess.run([str(word) for word in words], check=True, cwd=folder,
                           stdout=subprocess.DEVNULL)

        with h5py.File(GOLDEN / f"{name}.h5", "r") as file:
            state = state_of(file["state"])
        wrapped = {"module." + tensor: values for tensor, values in state.items()}
        torch.save({"epoch": 3, "state_dict": wrapped}, f"{folder}/published.pth")
        run(SCRIPT, "published.pth", "state.h5")
        run(TOOL, "import", "--from", "orepa-pytorch", "--model", model, "--input", "state.h5",
            "--output", "ours.caffemodel")
        run(TOOL, "export", "--to", "orepa-pytorch", "--model", model, "--weights",
            "ours.caffemodel", "--output", "back.h5")
        run(SCRIPT, "--reverse", "back.h5", "back.pth")
        back = torch.load(f"{folder}/back.pth")
        module = Module(state)
        module.load_state_dict(back, strict=True)
        for tensor, values in state.items():
            self.assertEqual(back[tensor].dtype, values.dtype, tensor)
            self.assertTrue(torch.equal(module.state_dict()[tensor], values), tensor)

    def test_other_pickles_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            torch.save({"optimizer": {"lr": 0.1}}, f"{folder}/other.pth")
            done = subprocess.run([SCRIPT, "other.pth", "state.h5"], cwd=folder, text=True,
                                  capture_output=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn("is no state_dict", done.stderr)
            self.assertEqual(os.listdir(folder), ["other.pth"])

    def test_wrong_calls_say_what_is_wrong(self):
        with tempfile.TemporaryDirectory() as folder:
            torch.save({"weight": torch.ones(2)}, f"{folder}/state.pth")
            with h5py.File(f"{folder}/state.h5", "w") as file:
                file["weight"] = [1.0, 1.0]
            pathlib.Path(folder, "text.pth").write_text("no checkpoint")
            before = sorted(os.listdir(folder))
            for words, message in (
                    (("none.pth", "new.h5"), "none.pth"),
                    (("text.pth", "new.h5"), "is no checkpoint"),
                    (("state.h5", "new.h5"), "is no checkpoint"),
                    (("--reverse", "state.pth", "new.pth"), "is no HDF5 file"),
                    (("--reverse", "none.h5", "new.pth"), "none.h5"),
                    (("state.pth", "state.pth"), "would be overwritten")):
                done = subprocess.run([SCRIPT, *words], cwd=folder, text=True, capture_output=True)
                self.assertEqual(done.returncode, 1, words)
                self.assertIn(message, done.stderr)
                self.assertNotIn("Traceback", done.stderr)
            self.assertEqual(sorted(os.listdir(folder)), before)

    def test_plain_net(self):
        with tempfile.TemporaryDirectory() as folder:
            self.come_back_as_they_were("net_resnet_basic_base", PLAIN, folder)

    def test_blocks(self):
        for style in ("dbb", "orepa"):
            with self.subTest(style), tempfile.TemporaryDirectory() as folder:
                model = f"{folder}/{style}.prototxt"
                subprocess.run([TOOL, "reparam", "--style", style, "--model", PLAIN, "--exclude",
                                r".*\.shortcut", "--output", model], check=True,
                               stdout=subprocess.DEVNULL)
                self.come_back_as_they_were(f"net_resnet_basic_{style}", model, folder)


if __name__ == "__main__":
    unittest.main()
