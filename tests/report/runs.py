"""Small made-up runs, as a training leaves them in its folder (docs/report.md)."""
import base64
import json
import math
import random
import struct
import zlib

CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
BRANCHES = {"kxk": 3.0, "avg": 1.0, "prior": 0.2, "1x1_kxk": 1.5, "1x1": 2.0, "dw_pw": 1.2}
LAYERS = ["conv1", "layer1.0.conv1", "layer1.0.conv2", "layer2.0.conv1", "layer2.0.conv2", "layer2.0.shortcut"]
# What a page has to show as text.
HOSTILE = "</script><img src=x onerror=alert(1)> & \"quotes\""


def picture(rng, size=28):
    rows = b"".join(b"\0" + bytes(int(127 + 120 * math.sin(x / 4 + y * rng.random() / 9)) for x in range(size))
                    for y in range(size))

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    png = (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)) +
           chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return "data:image/png;base64," + base64.b64encode(png).decode()


def write_lines(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def train(rng, iterations, speed):
    for i in range(1, iterations + 1):
        done = i / iterations
        yield {"iteration": i, "epoch": i / 469, "loss": 2.3 * math.exp(-5 * done * speed) + .15 + .1 * rng.random(),
               "rate": .05 * (1 + math.cos(math.pi * done)) + 1e-5, "images": 128, "seconds": .1,
               "images_per_second": 1250 + 60 * rng.random() - (400 if i % 469 == 0 else 0),
               "data_wait": .02 + .03 * rng.random(), "time": "2026-11-30T12:00:00Z"}


def test(iterations, speed):
    for i in range(0, iterations + 1, 469):
        done = i / iterations
        right = .935 - .83 * math.exp(-9 * done * speed)
        yield {"iteration": i, "epoch": i / 469, "net": 0, "samples": 10000, "time": "2026-11-30T12:00:00Z",
               "outputs": {"accuracy": right, "accuracy_top5": min(1, right ** .15), "loss": 2.2 * math.exp(-6 * done * speed) + .2}}


def branches(iterations):
    for i in range(0, iterations + 1, 469):
        layers = {}
        for n, layer in enumerate(LAYERS):
            norms = {branch: size * (1 + (n % 3) * i / iterations * (b - 2) / 4)
                     for b, (branch, size) in enumerate(BRANCHES.items())}
            layers[layer] = {branch: {"norm": norm, "share": norm / sum(norms.values())} for branch, norm in norms.items()}
        yield {"iteration": i, "layers": layers}


def network():
    layers = [{"name": "data", "type": "Data", "outputs": [[128, 1, 28, 28], [128]], "parameters": 0, "merged_parameters": 0, "macs": 0}]
    layers += [{"name": name, "type": "ORepaConv", "outputs": [[128, 32, 28, 28]], "parameters": 31264,
                "merged_parameters": 9216, "macs": 924844032} for name in LAYERS]
    layers.append({"name": "loss", "type": "SoftmaxWithLoss", "outputs": [[]], "parameters": 0, "merged_parameters": 0, "macs": 0})
    return {"name": "fashion_mnist_orepa", "batch": 128, "layers": layers}


def last_test(rng, classes, iterations):
    n = len(classes)
    confusion = [[900 if p == c else max(0, int(rng.gauss(-20, 40))) for p in range(n)] for c in range(n)]
    worst = [{"sample": str(rng.randrange(10000)), "label": rng.randrange(n), "predicted": rng.randrange(n),
              "probability": 1 - k / 60, "image": picture(rng)} for k in range(12)]
    return {"net": 0, "iteration": iterations, "classes": classes, "confusion": confusion, "worst": worst}


def write_run(folder, seed, iterations=469 * 15, speed=1.0, classes=None):
    """A whole run, with an unfinished last line in train.jsonl."""
    rng = random.Random(seed)
    classes = classes or CLASSES
    folder.mkdir(parents=True)
    write_lines(folder / "train.jsonl", train(rng, iterations, speed))
    with (folder / "train.jsonl").open("a") as file:
        file.write('{"iteration": 99999, "epo')
    write_lines(folder / "test.jsonl", test(iterations, speed))
    write_lines(folder / "branches.jsonl", branches(iterations))
    (folder / "network.json").write_text(json.dumps(network()))
    (folder / "last_test.json").write_text(json.dumps(last_test(rng, classes, iterations)))
    (folder / "solver.prototxt").write_text(f'net: "net.prototxt"\nbase_lr: 0.1\nlr_policy: "cosine"\n# {HOSTILE}\n')


def write_small_run(folder):
    """Curves alone, of an early end, without epochs."""
    folder.mkdir(parents=True)
    write_lines(folder / "train.jsonl", ({"iteration": i, "epoch": 0, "loss": 2 / i, "rate": .01} for i in range(1, 4)))
