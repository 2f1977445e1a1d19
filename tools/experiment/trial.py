"""One trial: a network of one style, trained with one rate from one seed, tested, merged and tested again."""
import dataclasses
import json
import os
import re
import subprocess
import threading

import net
import styles

MERGED = "merged"


@dataclasses.dataclass(frozen=True)
class Trial:
    data: str
    purpose: str  # "choice" of a rate on held-out images, or "report"
    style: str
    epochs: int
    rate: float
    seed: int

    def name(self):
        return f"{self.data}.{self.purpose}.{self.epochs}.{self.style}.{self.rate:g}.{self.seed}"


class Programs:
    """Calls orepa_tool, one thread each; `stop` ends all that are called, and refuses new ones."""

    def __init__(self, tool):
        self.tool, self.running, self.stopped, self.lock = tool, set(), False, threading.Lock()

    def call(self, *arguments):
        """What it prints, and the processor seconds that it took."""
        with self.lock:
            if self.stopped:
                raise InterruptedError
            process = subprocess.Popen([self.tool, *arguments], env=dict(os.environ, OMP_NUM_THREADS="1"),
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            self.running.add(process)
        with process.stdout:
            output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        with self.lock:
            self.running.remove(process)
            process.returncode = os.waitstatus_to_exitcode(status)
        if self.stopped:
            raise InterruptedError
        if process.returncode:
            raise SystemExit(f"{' '.join(process.args)}: exit code {process.returncode}\n{output}")
        return output, usage.ru_utime + usage.ru_stime

    def stop(self):
        with self.lock:
            self.stopped = True
            for process in self.running:
                process.terminate()  # a training snapshots, and goes on from there the next time


def write_net(programs, trial, data, folder):
    plain = f"{folder}/plain.prototxt"
    with open(plain, "w") as file:
        file.write(net.plain(data, getattr(data, trial.purpose)))
    style = styles.blocks_of(trial.style)
    if not style:
        return plain
    path = f"{folder}/{trial.style}.prototxt"
    # As in the published ResNets of basic blocks, shortcuts stay plain.
    programs.call("reparam", "--style", style, "--exclude", ".*shortcut", "--model", plain, "--output", path)
    blocks = styles.orepa_param(trial.style)
    if blocks:
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            file.write(text.replace("preset: OREPA", blocks))
    return path


def write_solver(trial, model, folder):
    """The paper's recipe, shortened."""
    path = f"{folder}/solver.prototxt.in"
    with open(path, "w") as file:
        file.write(f'''net: "{model}"
type: "SGD" momentum: 0.9 momentum_convention: PYTORCH weight_decay: 1e-4
base_lr: {trial.rate} lr_policy: "cosine" max_epoch: {trial.epochs} warmup_epoch: {trial.epochs / 10}
average_loss: 50 test_interval_epoch: 1 test_initialization: false
snapshot_epoch: 1 snapshot_keep: 1 snapshot_prefix: "weights"
random_seed: {trial.seed}
param_rule {{ name: ".*/bias" lr_mult: 2 decay_mult: 0 }}
param_rule {{ name: ".*/scale" decay_mult: 0 }}
{styles.param_rules(trial.style)}''')
    return path


def measure(programs, model, weights, *arguments):
    output, _ = programs.call("test", "--model", model, "--weights", weights, *arguments)
    return {name: float(value) for name, value in re.findall(r"^(\w+) = (\S+)", output, re.M)}


def run(programs, trial, data, folder):
    """Runs it in `folder`, from where it was; returns what was measured."""
    fresh = not os.path.exists(folder)
    os.makedirs(folder, exist_ok=True)
    model = write_net(programs, trial, data, folder)
    solver = write_solver(trial, model, folder)
    _, seconds = programs.call("train", "--solver", solver, "--run", folder, "--snapshot", "auto", "--progress", "none")
    weights = f"{folder}/weights_latest.caffemodel"
    test, training = measure(programs, model, weights), measure(programs, model, weights, "--stage", net.TRAINING)
    merged, merged_weights, merged_test = (f"{folder}/{MERGED}.{end}" for end in ("prototxt", "caffemodel", "test.prototxt"))
    report, _ = programs.call("convert", "--model", model, "--weights", weights, "--output", merged,
                              "--output_weights", merged_weights, "--output_test", merged_test)
    parameters = re.search(r"^parameters: (\S+) -> (\S+)", report, re.M)
    return dataclasses.asdict(trial) | {
        "accuracy": test["accuracy"], "loss": test["loss"],
        "training_accuracy": training["accuracy"], "training_loss": training["loss"],
        "merged_accuracy": measure(programs, merged_test, merged_weights)["accuracy"],
        # Of a training that was stopped in between, nobody knows.
        "seconds": seconds if fresh else None,
        "parameters": int(parameters[1].replace(",", "")), "merged_parameters": int(parameters[2].replace(",", ""))}


def read_results(path):
    """Results by trial."""
    fields = [field.name for field in dataclasses.fields(Trial)]
    if not os.path.exists(path):
        return {}
    with open(path) as file:
        results = [json.loads(line) for line in file if line.endswith("\n")]
    return {Trial(**{field: result[field] for field in fields}): result for result in results}
