"""Small trainings for tests of what they survive: their data, nets and solvers, and what is left of a run."""
import dataclasses
import gzip
import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile

import numpy
from PIL import Image

TOOL = os.path.abspath(os.environ.get("TOOL", "build/orepa_tool"))
FAULTS = os.path.abspath(os.environ.get("FAULTS", "build/libsurvival_faults.so"))
LAST = 40  # iterations of a training
DONE, FAILED, STOPPED = 0, 1, 3  # exit codes

IDX = """
layer { name: "data" type: "Data" top: "data" top: "label"
  data_param { backend: IDX source: "images" label_source: "labels" batch_size: 8 shuffle: true }
  transform_param { mean_value: 110 scale: 0.01 } }
"""
FOLDER = """
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  data_param { backend: FOLDER source: "photographs" batch_size: 6 shuffle: true threads: 2 max_broken: 0.5 }
  transform_param { transform { random_resized_crop { size: 12 } } transform { flip {} }
    transform { color_jitter { brightness: 0.4 contrast: 0.4 saturation: 0.4 } }
    transform { normalize { mean: [110, 110, 110] deviation: [60, 60, 60] } } } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
  data_param { backend: FOLDER source: "photographs" batch_size: 6 }
  transform_param { transform { resize { shorter_side: 14 } } transform { center_crop { size: 12 } }
    transform { normalize { mean: [110, 110, 110] deviation: [60, 60, 60] } } } }
"""
PLAIN = 'layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" ' \
        'convolution_param { num_output: 6 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }\n'
OREPA = 'layer { name: "conv" type: "ORepaConv" bottom: "data" top: "conv" ' \
        'convolution_param { num_output: 6 kernel_size: 3 pad: 1 bias_term: false } orepa_param { preset: OREPA } }\n'
REST = """
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" batch_norm_param { moving_average_fraction: 0.8 } }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" dropout_param { dropout_ratio: 0.2 } }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include { phase: TEST } }
"""
MIXUP = """
layer { name: "mixup" type: "Mixup" bottom: "data" bottom: "label" top: "mixed" top: "target"
  mixup_param { classes: 2 mixup_alpha: 0.4 cutmix_alpha: 1 } }
"""
MIXED = MIXUP + OREPA.replace('bottom: "data"', 'bottom: "mixed"') + \
    REST.replace('bottom: "ip" bottom: "label" top: "loss"', 'bottom: "ip" bottom: "target" top: "loss"')
IP = 'layer { name: "ip" type: "InnerProduct" bottom: "conv"'
POOLED = MIXED.replace(IP, 'layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { '
                           'pool: AVE global_pooling: true } }\n' + IP.replace("conv", "pool"))
SOLVER = 'net: "net.prototxt" base_lr: 0.02 momentum: 0.9 weight_decay: 0.001 lr_policy: "step" gamma: 0.5 ' \
         'stepsize: 15 snapshot_prefix: "net" snapshot: 5 test_interval: 5 snapshot_keep: 2 ' \
         f'max_iter: {LAST} '


@dataclasses.dataclass
class Task:
    """What is trained: the net's text, what is added to the solver's, and how often train.jsonl has a line."""
    net: str
    solver: str = ""
    display: int = 1


TASKS = {
    "plain": Task(IDX + PLAIN + REST),
    "orepa": Task(IDX + OREPA + REST),
    "photographs": Task(FOLDER + OREPA + REST, "random_seed: 7 "),
    "iter_size": Task(IDX + PLAIN + REST, 'iter_size: 2 type: "Nesterov" '),
    "hdf5": Task(IDX + OREPA + REST, "snapshot_format: HDF5 "),
    "averages": Task(IDX + OREPA + REST, "ema_decay: 0.9 snapshot_format: HDF5 average_loss: 5 ", display=3),
    "mixup": Task(FOLDER + MIXED, "ema_decay: 0.95 average_loss: 7 "),
    "image_size": Task(FOLDER + POOLED, "ema_decay: 0.95 image_size { size: 8 until_iter: 13 } "
                       "image_size { size: 10 until_iter: 27 } "),
    "early_stop": Task(IDX + OREPA + REST, "early_stop_tests: 2 ema_decay: 0.8 ", display=7),
}


def idx(values):
    """An IDX file of bytes."""
    return struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


def new_folder():
    """In memory, where that is possible: a flush to a disk may take a second, and a killed process cannot tell."""
    memory = "/dev/shm"
    return pathlib.Path(tempfile.mkdtemp(prefix="survival.", dir=memory if os.access(memory, os.W_OK) else None))


def make_task(folder, name):
    """Everything that a training reads, in a new folder; returns it."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    random = numpy.random.default_rng(1)
    labels = numpy.arange(30, dtype=numpy.uint8) % 2
    pixels = (labels[:, None, None] * 20 + random.integers(0, 120, (30, 8, 8))).astype(numpy.uint8)
    (folder / "images").write_bytes(idx(pixels))
    (folder / "labels").write_bytes(gzip.compress(idx(labels)))
    task = TASKS[name]
    if task.net.startswith(FOLDER):
        for i in range(16):
            place = folder / "photographs" / f"class{i % 2}"
            place.mkdir(parents=True, exist_ok=True)
            small = Image.fromarray(random.integers(0, 256, (4, 4, 3)).astype(numpy.uint8))
            small.resize((24 + i, 20), Image.BICUBIC).save(place / f"{i:02}.jpg", quality=90)
    (folder / "net.prototxt").write_text(task.net)
    (folder / "solver.prototxt").write_text(f"{SOLVER}{task.solver}display: {task.display} ")
    return folder


def environment(**faults):
    """Of orepa_tool, with faults (faults.c)."""
    common = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    if not faults:
        return common
    return {**common, "LD_PRELOAD": FAULTS, **{f"FAULT_{name.upper()}": str(value) for name, value in faults.items()}}


class Start:
    """A start of `orepa_tool train` in a task's folder, which goes on from what is in its folder `run`."""

    def __init__(self, folder, *words, prepare=None, snapshot="auto", **faults):
        self.folder = pathlib.Path(folder)
        resume = ["--snapshot", snapshot] if snapshot else []
        self.output = open(self.folder / "output", "w+")
        self.process = subprocess.Popen(
            [TOOL, "train", "--solver", "solver.prototxt", "--run", "run", "--progress", "plain", *resume, *words],
            cwd=self.folder, env=environment(**faults), preexec_fn=prepare, stdin=subprocess.DEVNULL, stdout=self.output,
            stderr=subprocess.STDOUT)

    def said(self):
        return (self.folder / "output").read_text(errors="replace")

    def wait(self, seconds=120):
        """What it ended with: an exit code, or minus a signal. None where it still runs after so many seconds."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        self.output.close()
        return code

    def kill(self):
        self.process.kill()
        return self.wait()


def train(folder, *words, **options):
    """Trains to the end; returns the exit code and what it said."""
    start = Start(folder, *words, **options)
    code = start.wait()
    if code is None:
        start.kill()
        raise AssertionError(f"{folder}: still trains after two minutes:\n{start.said()}")
    return code, start.said()


TIMES = ("seconds", "images_per_second", "data_wait", "time")


def lines(folder, name):
    """The lines of a curve without what depends on the clock."""
    text = (pathlib.Path(folder) / "run" / name).read_text()
    return [{key: value for key, value in json.loads(line).items() if key not in TIMES}
            for line in text.splitlines()]


def what_is_left(folder):
    """What a run that has ended must have in common with one that nobody disturbed."""
    run = pathlib.Path(folder) / "run"
    left = {path.name: path.read_bytes() for path in sorted(run.glob("net_iter_*"))}
    left.update({path.name: os.readlink(path) for path in sorted(run.glob("net_*")) if path.is_symlink()})
    return {**left, "train.jsonl": lines(folder, "train.jsonl"), "test.jsonl": lines(folder, "test.jsonl")}


def differences(left, reference):
    return [name for name in sorted({*left, *reference}) if left.get(name) != reference.get(name)]


def fresh(folder):
    """Removes what a run left."""
    shutil.rmtree(pathlib.Path(folder) / "run", ignore_errors=True)
