"""The claim on real data: one network, plain, with DBB blocks and with OREPA, on two data sets, at an equal budget.

`make experiment` does all trials of plan.py, two at a time, one thread each, and prints the tables of docs/results.md.
What is done stands in OUTPUT/results.jsonl and is not done again; a training that was stopped goes on from its last epoch.
"""
import argparse
import concurrent.futures
import json
import os
import signal

import data_sets
import plan
import tables
import trial


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="build/orepa_tool")
    parser.add_argument("--glyphs", default="build/data/glyphs", help="made by `make data-glyphs` (%(default)s)")
    parser.add_argument("--output", default="runs/experiment")
    parser.add_argument("--jobs", type=int, default=2, help="trials at a time (%(default)s)")
    options = parser.parse_args()
    sets = {data.name: data for data in (data_sets.glyphs(options.glyphs),
                                         data_sets.fashion_mnist(f"{options.output}/data"))}
    signal.signal(signal.SIGTERM, interrupt)
    run_all(trial.Programs(options.tool), sets, options.output, options.jobs)
    tables.write(trial.read_results(f"{options.output}/results.jsonl"))


def run_all(programs, sets, output, jobs):
    record = f"{output}/results.jsonl"
    running = {}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        try:
            while True:
                results = trial.read_results(record)
                free = (t for t in plan.trials(results) if t not in results and t not in running.values())
                while len(running) < jobs and (next_trial := next(free, None)):
                    folder = f"{output}/{next_trial.name()}"
                    running[pool.submit(trial.run, programs, next_trial, sets[next_trial.data], folder)] = next_trial
                if not running:
                    return
                done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in done:
                    del running[future]
                    with open(record, "a") as file:
                        file.write(json.dumps(future.result()) + "\n")
                    print(json.dumps(future.result()), flush=True)
        except KeyboardInterrupt:
            raise SystemExit("stopped; started again, it goes on from here") from None
        finally:
            programs.stop()


if __name__ == "__main__":
    os.nice(19)
    main()
