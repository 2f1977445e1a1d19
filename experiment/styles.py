"""What is compared: the plain network, blocks in place of its 3 x 3 convolutions, and parts of OREPA's block."""

# OREPA's branches as published, with the initial values of their scaling vectors.
BRANCHES = {"kxk": 0.25, "avg": 0.25, "prior": 0, "1x1_kxk": 0.5, "1x1": 1, "dw_pw": 0.5}

STYLES = "plain", "dbb", "orepa"

# Parts of the block: the branches that each has.
ABLATIONS = {"orepa_kxk_alone": ["kxk"]}
ABLATIONS |= {f"orepa_without_{name}": [other for other in BRANCHES if other != name] for name in BRANCHES}
# Scaling vectors that stay as they start; the prior's, 0, keeps that branch out.
FIXED = "orepa_without_scaling"


def blocks_of(style):
    """The --style of orepa_tool reparam; None for the plain network."""
    return None if style == "plain" else style.split("_")[0]


def orepa_param(style):
    """The blocks of an ORepaConv, where they are other ones than the preset."""
    names = ABLATIONS.get(style)
    return names and " ".join(f'branch {{ type: "{name}" scale: {BRANCHES[name]} }}' for name in names)


def param_rules(style):
    return 'param_rule { name: ".*/.*\\\\.scale" lr_mult: 0 decay_mult: 0 }\n' if style == FIXED else ""
