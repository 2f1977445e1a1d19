"""Layers alone, each with PyTorch's operation of the same name and shape: what tools/bench_layers.py times.

A case is a row of its table: the layer as a prototxt has it, behind "bottom"s; the shapes of these, the first of which has
a gradient; and what PyTorch computes of them, a function of (torch, torch.nn.functional, x, ...) where parameters of the layer
follow the bottoms, by their shapes. `labels` is how many classes the last bottom has labels of, `forward` says that there is no backward
pass, and `low` is the least of the numbers of the bottoms, which reach up to 1.
"""
from typing import Callable, NamedTuple

MAP = (16, 64, 56, 56)  # activations of a CNN
SMALL = (16, 32, 28, 28)
CLASSES = (256, 1000)


class Case(NamedTuple):
    name: str
    layer: str  # the type and its message
    shapes: tuple
    torch: Callable
    parameters: tuple = ()
    labels: int = 0
    forward: bool = False
    low: float = -1


def of_channels(t):
    return t.view(1, -1, 1, 1)


def lrn_within(t, f, x):
    return x * (1 + f.avg_pool2d(x * x, 5, 1, 2)).pow(-0.75)


def normalize(t, f, x, scale):
    return f.normalize(x, dim=1, eps=1e-10) * of_channels(scale)


def spp(t, f, x):
    return t.cat([f.adaptive_max_pool2d(x, bins).flatten(1) for bins in (1, 2, 4)], 1)


def hinge(t, f, x, label):
    sign = t.ones_like(x).scatter_(1, label[:, None], -1.0)
    return (1 + sign * x).clamp(min=0).sum() / len(x)


def contrastive(t, f, a, b, similar):
    distance = (a - b).norm(dim=1)
    return (similar * distance ** 2 + (1 - similar) * (1 - distance).clamp(min=0) ** 2).sum() / (2 * len(a))


def accuracy(t, f, x, label):
    return (x.topk(5, 1).indices == label[:, None]).any(1).float().mean()


CASES = (
    Case("Convolution 3 x 3", "Convolution convolution_param { num_output: 64 kernel_size: 3 pad: 1 }", (MAP,),
         lambda t, f, x, w, b: f.conv2d(x, w, b, padding=1), ((64, 64, 3, 3), (64,))),
    Case("Convolution 3 x 3, 64 groups", "Convolution convolution_param { num_output: 64 kernel_size: 3 pad: 1 group: 64 }", (MAP,),
         lambda t, f, x, w, b: f.conv2d(x, w, b, padding=1, groups=64), ((64, 1, 3, 3), (64,))),
    Case("Deconvolution 4 x 4, stride 2", "Deconvolution convolution_param { num_output: 32 kernel_size: 4 stride: 2 pad: 1 }", (SMALL,),
         lambda t, f, x, w, b: f.conv_transpose2d(x, w, b, 2, 1), ((32, 32, 4, 4), (32,))),
    Case("Im2col 3 x 3", "Im2col convolution_param { kernel_size: 3 pad: 1 }", (SMALL,),
         lambda t, f, x: f.unfold(x, 3, padding=1)),
    Case("InnerProduct", "InnerProduct inner_product_param { num_output: 1000 }", ((256, 2048),),
         lambda t, f, x, w, b: f.linear(x, w, b), ((1000, 2048), (1000,))),
    Case("Embed", "Embed embed_param { num_output: 256 input_dim: 1000 }", ((4096,),),
         lambda t, f, x, w, b: f.embedding(x, w) + b, ((1000, 256), (256,)), 1000),
    Case("Pooling MAX 3 x 3, stride 2", "Pooling pooling_param { kernel_size: 3 stride: 2 }", (MAP,),
         lambda t, f, x: f.max_pool2d(x, 3, 2, ceil_mode=True)),
    Case("Pooling AVE 3 x 3, stride 2", "Pooling pooling_param { pool: AVE kernel_size: 3 stride: 2 }", (MAP,),
         lambda t, f, x: f.avg_pool2d(x, 3, 2, ceil_mode=True)),
    Case("Pooling AVE, global", "Pooling pooling_param { pool: AVE global_pooling: true }", (MAP,),
         lambda t, f, x: f.adaptive_avg_pool2d(x, 1)),
    Case("SPP", "SPP spp_param { pyramid_height: 3 }", (SMALL,), spp),
    Case("BatchNorm", "BatchNorm", (MAP,), lambda t, f, x: f.batch_norm(x, None, None, training=True)),
    Case("MVN", "MVN", (MAP,), lambda t, f, x: f.instance_norm(x)),
    Case("MVN across channels", "MVN mvn_param { across_channels: true }", (MAP,), lambda t, f, x: f.group_norm(x, 1)),
    Case("Normalize", "Normalize norm_param { across_spatial: false channel_shared: false }", (MAP,), normalize, ((64,),)),
    Case("LRN", "LRN", (MAP,), lambda t, f, x: f.local_response_norm(x, 5, 1.0, 0.75, 1.0)),
    Case("LRN within channels", "LRN lrn_param { norm_region: WITHIN_CHANNEL }", (MAP,), lrn_within),
    Case("Scale", "Scale scale_param { bias_term: true }", (MAP,),
         lambda t, f, x, w, b: x * of_channels(w) + of_channels(b), ((64,), (64,))),
    Case("Bias", "Bias", (MAP,), lambda t, f, x, b: x + of_channels(b), ((64,),)),
    Case("ReLU", "ReLU", (MAP,), lambda t, f, x: f.relu(x)),
    Case("ReLU with a slope", "ReLU relu_param { negative_slope: 0.1 }", (MAP,), lambda t, f, x: f.leaky_relu(x, 0.1)),
    Case("ReLU6", "ReLU6", (MAP,), lambda t, f, x: f.relu6(x)),
    Case("PReLU", "PReLU", (MAP,), lambda t, f, x, a: f.prelu(x, a), ((64,),)),
    Case("ELU", "ELU", (MAP,), lambda t, f, x: f.elu(x)),
    Case("Sigmoid", "Sigmoid", (MAP,), lambda t, f, x: x.sigmoid()),
    Case("TanH", "TanH", (MAP,), lambda t, f, x: x.tanh()),
    Case("Swish", "Swish", (MAP,), lambda t, f, x: f.silu(x)),
    Case("Clip", "Clip clip_param { min: -0.5 max: 0.5 }", (MAP,), lambda t, f, x: x.clamp(-0.5, 0.5)),
    Case("AbsVal", "AbsVal", (MAP,), lambda t, f, x: x.abs()),
    Case("BNLL", "BNLL", (MAP,), lambda t, f, x: f.softplus(x)),
    Case("Exp", "Exp", (MAP,), lambda t, f, x: x.exp()),
    Case("Log", "Log", (MAP,), lambda t, f, x: x.log(), low=0.1),
    Case("Power, a square", "Power power_param { power: 2 }", (MAP,), lambda t, f, x: x.pow(2)),
    Case("Power 0.7", "Power power_param { power: 0.7 }", (MAP,), lambda t, f, x: x.pow(0.7), low=0.1),
    Case("Threshold", "Threshold", (MAP,), lambda t, f, x: (x > 0).float(), forward=True),
    Case("Dropout", "Dropout", (MAP,), lambda t, f, x: f.dropout(x, 0.5)),
    Case("Softmax", "Softmax", (CLASSES,), lambda t, f, x: x.softmax(1)),
    Case("Softmax over channels", "Softmax", (MAP,), lambda t, f, x: x.softmax(1)),
    Case("Eltwise SUM", "Eltwise", (MAP, MAP), lambda t, f, a, b: a + b),
    Case("Eltwise PROD", "Eltwise eltwise_param { operation: PROD }", (MAP, MAP), lambda t, f, a, b: a * b),
    Case("Eltwise MAX", "Eltwise eltwise_param { operation: MAX }", (MAP, MAP), lambda t, f, a, b: t.maximum(a, b)),
    Case("Axpy", "Axpy", ((16, 64, 1, 1), MAP, MAP), lambda t, f, a, x, y: a * x + y),
    Case("Concat", "Concat", (MAP, MAP), lambda t, f, a, b: t.cat((a, b), 1)),
    Case("Slice", "Slice", (MAP,), lambda t, f, x: [part.clone() for part in x.chunk(2, 1)]),
    Case("Split", "Split", (MAP,), lambda t, f, x: [x.clone(), x.clone()]),
    Case("Crop", "Crop crop_param { offset: 4 }", (MAP, (16, 64, 48, 48)), lambda t, f, x, like: x[:, :, 4:52, 4:52].clone()),
    Case("Flatten", "Flatten", (MAP,), lambda t, f, x: x.contiguous().flatten(1).clone()),
    Case("Reshape", "Reshape reshape_param { shape { dim: 0 dim: 0 dim: -1 } }", (MAP,),
         lambda t, f, x: x.reshape(16, 64, 3136).clone()),
    Case("Permute", "Permute permute_param { order: 0 order: 2 order: 3 order: 1 }", (MAP,),
         lambda t, f, x: x.permute(0, 2, 3, 1).clone(memory_format=t.contiguous_format)),
    Case("ShuffleChannel", "ShuffleChannel shuffle_channel_param { group: 8 }", (MAP,),
         lambda t, f, x: x.view(16, 8, 8, 56, 56).transpose(1, 2).reshape(16, 64, 56, 56)),
    Case("Tile", "Tile tile_param { tiles: 2 }", (SMALL,), lambda t, f, x: x.repeat(1, 2, 1, 1)),
    Case("Tile of pixels", "Tile tile_param { axis: 3 tiles: 2 }", (SMALL,), lambda t, f, x: x.repeat(1, 1, 1, 2)),
    Case("BatchReindex", "BatchReindex", (MAP, (16,)), lambda t, f, x, index: x.index_select(0, index), labels=16),
    Case("Upsample", "Upsample upsample_param { scale: 2 }", (SMALL,), lambda t, f, x: f.interpolate(x, scale_factor=2)),
    Case("Interp", "Interp interp_param { height: 56 width: 56 }", (SMALL,),
         lambda t, f, x: f.interpolate(x, (56, 56), mode="bilinear", align_corners=True)),
    Case("Reduction of samples", "Reduction reduction_param { axis: 1 }", (MAP,), lambda t, f, x: x.sum((1, 2, 3))),
    Case("Reduction of rows, squares", "Reduction reduction_param { operation: SUMSQ axis: 3 }", (MAP,), lambda t, f, x: (x * x).sum(3)),
    Case("ArgMax of channels", "ArgMax argmax_param { axis: 1 }", (MAP,), lambda t, f, x: x.argmax(1, keepdim=True).float(), forward=True),
    Case("ArgMax", "ArgMax", (CLASSES,), lambda t, f, x: x.argmax(1, keepdim=True).float(), forward=True),
    Case("SoftmaxWithLoss", "SoftmaxWithLoss", (CLASSES, (256,)), lambda t, f, x, label: f.cross_entropy(x, label), labels=1000),
    Case("SoftmaxWithLoss of pixels", "SoftmaxWithLoss", ((16, 21, 56, 56), (16, 56, 56)),
         lambda t, f, x, label: f.cross_entropy(x, label), labels=21),
    Case("SigmoidCrossEntropyLoss", "SigmoidCrossEntropyLoss", (CLASSES, CLASSES),
         lambda t, f, x, y: f.binary_cross_entropy_with_logits(x, y, reduction="sum") / 256, low=0),
    Case("EuclideanLoss", "EuclideanLoss", (CLASSES, CLASSES), lambda t, f, x, y: f.mse_loss(x, y, reduction="sum") / 512),
    Case("SmoothL1Loss", "SmoothL1Loss", (CLASSES, CLASSES), lambda t, f, x, y: f.smooth_l1_loss(x, y, reduction="sum") / 256),
    Case("HingeLoss", "HingeLoss", (CLASSES, (256,)), hinge, labels=1000),
    Case("ContrastiveLoss", "ContrastiveLoss", (CLASSES, CLASSES, (256,)), contrastive, labels=2),
    Case("MultinomialLogisticLoss", "MultinomialLogisticLoss", (CLASSES, (256,)), lambda t, f, x, label: f.nll_loss(x.log(), label),
         labels=1000, low=0.1),
    Case("Accuracy, the first five", "Accuracy accuracy_param { top_k: 5 }", (CLASSES, (256,)), accuracy, labels=1000, forward=True),
)
