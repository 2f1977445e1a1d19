"""Which trials there are, in the order of their worth, as far as the results say."""
import statistics

import styles
from trial import Trial

RATES = 0.01, 0.03, 0.1, 0.3, 1, 3, 10
GRID = 2, 5  # of them those that are tried first: 0.1, 0.3, 1
CHOICE_SEEDS = 1, 2
SEEDS = 1, 2, 3, 4, 5
ABLATION_SEEDS = 1, 2, 3
SHORT, LONG = 5, 30  # epochs
CHEAP, DEAR = (styles.PLAIN, styles.OREPA), (styles.DBB,)  # a step with DBB takes three times as long
DATA_SETS = "glyphs", "fashion_mnist"
ABLATED = "glyphs"


def choice(data, style, rate):
    return [Trial(data, "choice", style, SHORT, rate, seed) for seed in CHOICE_SEEDS]


def held_out(results, data, style):
    """Mean accuracy on held-out images by rate, of the rates that are done."""
    trials = {rate: choice(data, style, rate) for rate in RATES}
    return {rate: statistics.mean(results[trial]["accuracy"] for trial in of) for rate, of in trials.items()
            if all(trial in results for trial in of)}


def grid(results, data, style):
    """The rates to be tried: three, and further ones as long as the best is at the edge."""
    first, last = GRID
    means = held_out(results, data, style)
    while all(rate in means for rate in RATES[first:last]):
        best = RATES.index(max(RATES[first:last], key=means.get))
        if best == first > 0:
            first -= 1
        elif best == last - 1 < len(RATES) - 1:
            last += 1
        else:
            break
    return RATES[first:last]


def chosen(results, data, style):
    """The best rate; None as long as not all are tried."""
    means = held_out(results, data, style)
    return max(means, key=means.get) if all(rate in means for rate in grid(results, data, style)) else None


def report(results, data, style, epochs):
    rate = chosen(results, data, style)
    return [Trial(data, "report", style, epochs, rate, seed) for seed in SEEDS] if rate else []


def ablation(results, style):
    """At the rate of the whole block."""
    rate = chosen(results, ABLATED, styles.OREPA)
    return [Trial(ABLATED, "report", style, SHORT, rate, seed) for seed in ABLATION_SEEDS] if rate else []


def short(results, data, compared):
    """The choice of rates, and the report at them."""
    yield from seed_by_seed(choice(data, style, rate) for style in compared for rate in grid(results, data, style))
    yield from seed_by_seed(report(results, data, style, SHORT) for style in compared)


def trials(results):
    for data in DATA_SETS:
        yield from short(results, data, CHEAP)
    yield from short(results, ABLATED, [styles.SMALL_1X1])
    yield from seed_by_seed(ablation(results, style) for style in (styles.FIXED, *styles.ABLATIONS))
    for data in DATA_SETS:
        yield from short(results, data, DEAR)
    for compared in CHEAP, DEAR:
        for data in DATA_SETS:
            yield from seed_by_seed(report(results, data, style, LONG) for style in compared)


def seed_by_seed(lists):
    """One of each, then the next of each: what is stopped half-way has as many of one as of the other."""
    lists = list(lists)
    for index in range(max(map(len, lists))):
        yield from (trials[index] for trials in lists if index < len(trials))
