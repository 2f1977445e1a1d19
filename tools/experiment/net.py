"""The plain network of the experiment, a ResNet of basic blocks for 28 x 28 grey images, as prototxt."""

WIDTHS = 16, 32, 64  # of the three stages, at 14 x 14, 7 x 7 and 4 x 4
BATCH = 128
TRAINING = "training_images"  # the stage in which a test is of the training images, as they are


def data_layer(data, images, include, batch, augment=""):
    return f'''layer {{
  name: "data" type: "Data" top: "data" top: "label"
  include {{ {include} }}
  transform_param {{ mean_value: {data.mean} scale: {1 / data.deviation:.6f} {augment} }}
  data_param {{ backend: IDX source: "{images}" batch_size: {batch} }}
}}
'''


def convolution(name, bottom, outputs, kernel=3, stride=1, relu=True):
    """Convolution, BatchNorm, Scale and, mostly, ReLU; the output is called as the convolution."""
    pad = kernel // 2
    text = f'''layer {{
  name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}"
  convolution_param {{ num_output: {outputs} kernel_size: {kernel} pad: {pad} stride: {stride} bias_term: false weight_filler {{ type: "msra" }} }}
}}
layer {{
  name: "{name}.bn" type: "BatchNorm" bottom: "{name}" top: "{name}"
  batch_norm_param {{ moving_average_fraction: 0.9 }}
}}
layer {{ name: "{name}.scale" type: "Scale" bottom: "{name}" top: "{name}" scale_param {{ bias_term: true }} }}
'''
    return text + (rectifier(name) if relu else "")


def rectifier(blob):
    return f'layer {{ name: "{blob}.relu" type: "ReLU" bottom: "{blob}" top: "{blob}" }}\n'


def block(name, bottom, outputs, stride):
    text = convolution(f"{name}.conv1", bottom, outputs, stride=stride)
    text += convolution(f"{name}.conv2", f"{name}.conv1", outputs, relu=False)
    shortcut = bottom
    if stride > 1:
        shortcut = f"{name}.shortcut"
        text += convolution(shortcut, bottom, outputs, kernel=1, stride=stride, relu=False)
    text += f'layer {{ name: "{name}" type: "Eltwise" bottom: "{name}.conv2" bottom: "{shortcut}" top: "{name}" }}\n'
    return text + rectifier(name)


def plain(data, files):
    """`files`: images to train with and to test with."""
    training, test = files
    augment = f"pad: 2 crop_size: 28 mirror: {str(data.mirror).lower()}"
    text = f'name: "{data.name}"\n'
    text += data_layer(data, training, "phase: TRAIN", BATCH, augment)
    text += data_layer(data, test, f'phase: TEST not_stage: "{TRAINING}"', 250)
    text += data_layer(data, training, f'phase: TEST stage: "{TRAINING}"', 250)
    text += convolution("stem", "data", WIDTHS[0], stride=2)
    bottom = "stem"
    for stage, width in enumerate(WIDTHS, 1):
        text += block(f"stage{stage}", bottom, width, 1 if stage == 1 else 2)
        bottom = f"stage{stage}"
    return text + f'''layer {{ name: "pool" type: "Pooling" bottom: "{bottom}" top: "pool" pooling_param {{ pool: AVE global_pooling: true }} }}
layer {{
  name: "linear" type: "InnerProduct" bottom: "pool" top: "linear"
  inner_product_param {{ num_output: {data.classes} weight_filler {{ type: "xavier" }} }}
}}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "linear" bottom: "label" top: "loss" }}
layer {{ name: "accuracy" type: "Accuracy" bottom: "linear" bottom: "label" top: "accuracy" include {{ phase: TEST }} }}
'''
