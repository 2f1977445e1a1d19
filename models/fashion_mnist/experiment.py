"""The claim on real data: one network, plain, with DBB blocks and with OREPA, trained alike from several seeds.

`make experiment` (four hours on two processors with AVX2, an estimated one with AVX-512) trains models/fashion_mnist/plain and
what `orepa_tool reparam` makes of it, all with the plain one's solver, tests each trained network on Fashion-MNIST's
10,000 test images, merges it, and prints the table of docs/results.md. As many runs as there are processors go on at a
time, one thread each. Those that are done stand in runs/experiment/results.jsonl and are not run again.
"""
import argparse
import concurrent.futures
import json
import os
import re
import statistics
import subprocess
import time

PLAIN = "models/fashion_mnist/plain"


def run(command):
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def write_net(tool, folder, style):
    path = f"{folder}/{style}.prototxt"
    if style == "plain":
        return f"{PLAIN}/train_val.prototxt"
    run([tool, "reparam", "--style", style, "--model", f"{PLAIN}/train_val.prototxt", "--output", path])
    return path


def write_solver(folder, name, net, epochs, seed):
    """The plain solver for another net, budget and seed. No BatchNorm decays, by whatever name its scale goes."""
    with open(f"{PLAIN}/solver.prototxt") as file:
        text = file.read()
    for field, value in (("net", f'"{net}"'), ("max_epoch", epochs), ("warmup_epoch", epochs / 10),
                         ("test_interval_epoch", epochs), ("snapshot_prefix", f'"{folder}/{name}"'),
                         ("random_seed", seed)):
        text, count = re.subn(rf"^{field}: .*", f"{field}: {value}", text, flags=re.M)
        assert count == 1, field
    path = f"{folder}/{name}.solver.prototxt"
    with open(path, "w") as file:
        file.write(text + 'param_rule { name: ".*/scale" decay_mult: 0 }\n')
    return path


def newest(folder, name):
    files = [f for f in os.listdir(folder) if re.fullmatch(rf"{name}_iter_\d+\.caffemodel", f)]
    return f"{folder}/" + max(files, key=lambda f: int(f.split("_iter_")[1].split(".")[0]))


def train(tool, folder, record, style, net, epochs, seed):
    """One run, with its test, its conversion and the test of that; its results go to the end of `record`."""
    name = f"{style}_{seed}"
    start = time.time()
    run([tool, "train", "--overwrite", "--solver", write_solver(folder, name, net, epochs, seed)])
    seconds = time.time() - start
    weights = newest(folder, name)
    accuracy = float(re.search(r"^accuracy = (\S+)", run([tool, "test", "--model", net, "--weights", weights]), re.M)[1])
    deploy, merged, test = (f"{folder}/{name}.{end}" for end in ("deploy.prototxt", "deploy.caffemodel", "test.prototxt"))
    report = run([tool, "convert", "--model", net, "--weights", weights, "--output", deploy, "--output_weights", merged,
                  "--output_test", test])
    after = float(re.search(r"^accuracy = (\S+)", run([tool, "test", "--model", test, "--weights", merged]), re.M)[1])
    parameters = re.search(r"^parameters: (\S+) -> (\S+)", report, re.M)
    results = {"style": style, "seed": seed, "epochs": epochs, "accuracy": accuracy, "merged_accuracy": after,
               "seconds": seconds, "parameters": parameters[1], "merged_parameters": parameters[2]}
    with open(record, "a") as file:
        file.write(json.dumps(results) + "\n")
    print(json.dumps(results), flush=True)


def read_results(record, epochs):
    if not os.path.exists(record):
        return []
    with open(record) as file:
        return [results for results in map(json.loads, file) if results["epochs"] == epochs]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tool", default="build/orepa_tool")
    parser.add_argument("--styles", default="plain,dbb,orepa")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--folder", default="runs/experiment")
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    record = f"{options.folder}/results.jsonl"
    styles = options.styles.split(",")
    nets = {style: write_net(options.tool, options.folder, style) for style in styles}
    ran = {(r["style"], r["seed"]) for r in read_results(record, options.epochs)}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = [pool.submit(train, options.tool, options.folder, record, style, nets[style], options.epochs, seed)
                for seed in range(1, options.seeds + 1) for style in styles if (style, seed) not in ran]
    for finished in runs:
        finished.result()  # raises what the run raised
    results = read_results(record, options.epochs)
    print("| network | parameters, merged | test accuracy, mean | deviation | each seed | after merging |")
    print("| --- | --- | --- | --- | --- | --- |")
    for style in styles:
        runs = sorted((r for r in results if r["style"] == style), key=lambda r: r["seed"])
        percent = [100 * r["accuracy"] for r in runs]
        print(f"| {style} | {runs[0]['parameters']}, {runs[0]['merged_parameters']} | {statistics.mean(percent):.2f} | "
              f"{statistics.stdev(percent) if len(percent) > 1 else 0:.2f} | {', '.join(f'{p:.2f}' for p in percent)} | "
              f"{statistics.mean(100 * r['merged_accuracy'] for r in runs):.2f} |")


if __name__ == "__main__":
    main()
