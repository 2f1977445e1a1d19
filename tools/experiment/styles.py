"""What is compared: the plain network, blocks in place of its 3 x 3 convolutions, and variants of OREPA's block."""

# OREPA's branches as published, with the initial values of their scaling vectors.
BRANCHES = {"kxk": 0.25, "avg": 0.25, "prior": 0, "1x1_kxk": 0.5, "1x1": 1, "dw_pw": 0.5}

PLAIN, DBB, OREPA = STYLES = "plain", "dbb", "orepa"

# Parts of the block.
ABLATIONS = {"orepa_kxk_alone": {"kxk": BRANCHES["kxk"]}}
ABLATIONS |= {f"orepa_without_{left_out}": {name: scale for name, scale in BRANCHES.items() if name != left_out}
              for left_out in BRANCHES}
# Scaling vectors that stay as they start; the prior's, 0, keeps that branch out.
FIXED = "orepa_without_scaling"
# A start at which W moves as far as a plain one (docs/orepa.md, "Rates").
SMALL_1X1 = "orepa_small_1x1"

VARIANTS = ABLATIONS | {SMALL_1X1: BRANCHES | {"1x1": 0.25}}


def blocks_of(style):
    """The --style of orepa_tool reparam; None for the plain network."""
    return None if style == PLAIN else style.split("_")[0]


def orepa_param(style):
    """The blocks of an ORepaConv, where they are other ones than the preset."""
    scales = VARIANTS.get(style)
    return scales and " ".join(f'branch {{ type: "{name}" scale: {scale} }}' for name, scale in scales.items())


def param_rules(style):
    return 'param_rule { name: ".*/.*\\\\.scale" lr_mult: 0 decay_mult: 0 }\n' if style == FIXED else ""
