"""The tables of docs/results.md from results.jsonl; what is not complete is said to be so.

    python3 tools/experiment/tables.py --output runs/experiment
"""
import argparse
import statistics

import plan
import styles
import trial


def percent(accuracy):
    return f"{100 * accuracy:.2f}"


def deviation(values):
    return statistics.stdev(values) if len(values) > 1 else float("nan")


def of_key(results, key):
    return [result[key] for result in results]


def difference(results, base):
    """The difference of two mean accuracies, with its standard error."""
    ours, theirs = of_key(results, "accuracy"), of_key(base, "accuracy")
    if min(len(ours), len(theirs)) < 2:
        return ""
    error = (statistics.variance(ours) / len(ours) + statistics.variance(theirs) / len(theirs)) ** 0.5
    return f"{100 * (statistics.mean(ours) - statistics.mean(theirs)):+.2f} +- {100 * error:.2f}"


def table(*rows):
    print("| " + " | ".join(rows[0]) + " |")
    print("|" + " --- |" * len(rows[0]))
    for row in rows[1:]:
        print("| " + " | ".join(row) + " |")
    print()


def write_rates(results, data):
    """Held-out accuracies; the best rate of each style is marked, if all rates are tried."""
    tried = {style: plan.held_out(results, data, style) for style in (*styles.STYLES, styles.SMALL_1X1)}
    tried = {style: means for style, means in tried.items() if means}
    rates = sorted({rate for means in tried.values() for rate in means})
    if not rates:
        return
    rows = []
    for style, means in tried.items():
        best = plan.chosen(results, data, style)
        rows.append([style, *(("**{}**" if rate == best else "{}").format(percent(means[rate])) if rate in means else ""
                              for rate in rates), f"{best:g}" if best else "not known yet"])
    print(f"{data}: accuracy in % on held-out images after {plan.SHORT} epochs, means of {len(plan.CHOICE_SEEDS)} seeds\n")
    table(["style", *(f"rate {rate:g}" for rate in rates), "chosen"], *rows)


def row(name, results, wanted, base):
    """Accuracies of one kind of trial, with the difference to `base`."""
    seconds = [result["seconds"] for result in results if result["seconds"]]
    accuracies = of_key(results, "accuracy")
    return [name, f"{results[0]['rate']:g}", f"{len(results)}" + ("" if len(results) == wanted else f" of {wanted}"),
            percent(statistics.mean(accuracies)), percent(deviation(accuracies)), ", ".join(map(percent, accuracies)),
            "" if results is base else difference(results, base), f"{statistics.mean(of_key(results, 'loss')):.4f}",
            percent(statistics.mean(of_key(results, "training_accuracy"))),
            f"{statistics.mean(seconds):.0f}" if seconds else "", f"{results[0]['parameters']:,}"]


def write_report(results, title, lists, base):
    """`lists`: by style the trials there are to be; differences are to those of the style `base`."""
    done = {style: [results[t] for t in of if t in results] for style, of in lists.items()}
    done = {style: of for style, of in done.items() if of}
    if not done:
        return
    print(f"{title}\n")
    table(["style", "rate", "seeds", "test accuracy, %", "deviation", "each seed", f"to {base}", "test loss",
           "training accuracy, %", "processor seconds", "parameters in training"],
          *(row(style, of, len(lists[style]), done.get(base, [])) for style, of in done.items()))


def write(results):
    for data in plan.DATA_SETS:
        write_rates(results, data)
    for data in plan.DATA_SETS:
        for epochs in (plan.SHORT, plan.LONG):
            write_report(results, f"{data}, {epochs} epochs",
                         {style: plan.report(results, data, style, epochs) for style in styles.STYLES}, styles.PLAIN)
    whole = {styles.OREPA: plan.report(results, plan.ABLATED, styles.OREPA, plan.SHORT)}
    start = {styles.SMALL_1X1: plan.report(results, plan.ABLATED, styles.SMALL_1X1, plan.SHORT)}
    parts = {style: plan.ablation(results, style) for style in (styles.FIXED, *styles.ABLATIONS)}
    write_report(results, f"Variants of OREPA's block, {plan.ABLATED}, {plan.SHORT} epochs", whole | start | parts,
                 styles.OREPA)
    done = results.values()
    changed = sum(result["accuracy"] != result["merged_accuracy"] for result in done)
    known = sum(t in results for t in plan.trials(results))
    print(f"{known} trials of those known so far ({sum(1 for _ in plan.trials(results))}) are done; "
          f"merging changed the accuracy of {changed}. {sum(r['seconds'] or 0 for r in done) / 3600:.1f} processor hours.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default="runs/experiment")
    write(trial.read_results(f"{parser.parse_args().output}/results.jsonl"))


if __name__ == "__main__":
    main()
