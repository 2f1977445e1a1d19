"""Golden blocks that the published files do not have: ACNet, and DBB with groups. Written with PyTorch's own layers.

    /usr/bin/python3 tests/golden/blocks/make.py     (Debian's python3-torch and python3-h5py)

The format is that of the other files here: attributes with the geometry, /param and /buffer before the step, /x, /dy, one
training step in /train, inference with the first statistics in /eval, the merged convolution in /deploy. PyTorch 1.13,
float32, one thread. Modules are called as in the publications; those of ACNet as (conv, bn) pairs.
"""
import os

import h5py
import torch
from torch import nn
from torch.nn import functional


class ConvBN(nn.Module):
    def __init__(self, c, o, k, s, p, g):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(c, o, k, s, p, groups=g, bias=False), nn.BatchNorm2d(o)

    def forward(self, x):
        return self.bn(self.conv(x))


class ACNet(nn.Module):
    def __init__(self, c, o, k, s, g):
        super().__init__()
        self.square_conv = ConvBN(c, o, k, s, k // 2, g)
        self.ver_conv = ConvBN(c, o, (k, 1), s, (k // 2, 0), g)
        self.hor_conv = ConvBN(c, o, (1, k), s, (0, k // 2), g)

    def forward(self, x):
        return self.square_conv(x) + self.ver_conv(x) + self.hor_conv(x)


class PaddedBN(nn.Module):
    """Pads with what a zero input gives in inference; nothing flows back from the border."""

    def __init__(self, channels, pad):
        super().__init__()
        self.pad, self.bn = pad, nn.BatchNorm2d(channels)

    def forward(self, x):
        y = self.bn(x)
        bn = self.bn
        value = (bn.bias - bn.running_mean * bn.weight / torch.sqrt(bn.running_var + bn.eps)).detach()
        n, c, h, w = y.shape
        out = value.view(1, c, 1, 1).repeat(n, 1, h + 2 * self.pad, w + 2 * self.pad)
        return functional.pad(y, [self.pad] * 4) + out * functional.pad(torch.zeros_like(y), [self.pad] * 4, value=1.0)


class IdentityBased(nn.Module):
    def __init__(self, channels, groups):
        super().__init__()
        self.groups, each = groups, channels // groups
        self.weight = nn.Parameter(torch.zeros(channels, each, 1, 1))
        self.identity = torch.eye(each).repeat(groups, 1).view(channels, each, 1, 1)

    def forward(self, x):
        return functional.conv2d(x, self.weight + self.identity, groups=self.groups)


class DBB(nn.Module):
    def __init__(self, c, o, k, s, g):
        super().__init__()
        depthwise = g == o
        self.dbb_origin = ConvBN(c, o, k, s, k // 2, g)
        avg = nn.Sequential()
        if not depthwise:
            avg.add_module("conv", nn.Conv2d(c, o, 1, groups=g, bias=False))
            avg.add_module("bn", PaddedBN(o, k // 2))
            self.dbb_1x1 = ConvBN(c, o, 1, s, 0, g)
        avg.add_module("avg", nn.AvgPool2d(k, s, k // 2 if depthwise else 0))
        avg.add_module("avgbn", nn.BatchNorm2d(o))
        self.dbb_avg = avg
        middle = 2 * c if depthwise else c
        last = nn.Sequential()
        if depthwise:
            last.add_module("conv1", nn.Conv2d(c, middle, 1, groups=g, bias=False))
        else:
            last.add_module("idconv1", IdentityBased(c, g))
        last.add_module("bn1", PaddedBN(middle, k // 2))
        last.add_module("conv2", nn.Conv2d(middle, o, k, s, groups=g, bias=False))
        last.add_module("bn2", nn.BatchNorm2d(o))
        self.dbb_1x1_kxk = last

    def forward(self, x):
        y = self.dbb_origin(x) + self.dbb_avg(x) + self.dbb_1x1_kxk(x)
        return y + self.dbb_1x1(x) if hasattr(self, "dbb_1x1") else y


def merged(block, c, k, s, g):
    """Kernel and bias of the convolution that an evaluating block is, read off impulses, in float64."""
    block = block.double().eval()
    size, centre = 4 * k * s, 2 * s * (k // 2 + 1)  # a pixel that stride and padding leave in the middle
    each = c // g
    with torch.no_grad():
        bias = block(torch.zeros(1, c, size, size, dtype=torch.float64))[0, :, centre // s, centre // s]
        kernel = torch.zeros(len(bias), each, k, k, dtype=torch.float64)
        for i in range(c):
            outputs = slice(i // each * (len(bias) // g), (i // each + 1) * (len(bias) // g))
            for h in range(k):
                for w in range(k):
                    x = torch.zeros(1, c, size, size, dtype=torch.float64)
                    x[0, i, centre + h - k // 2, centre + w - k // 2] = 1
                    y = block(x)[0, :, centre // s, centre // s] - bias
                    kernel[outputs, i % each, h, w] = y[outputs]
    block.float()
    return kernel, bias


def make(name, kind, c, o, k, s, g, seed):
    torch.manual_seed(seed)
    block = {"ACNet": ACNet, "DBB": DBB}[kind](c, o, k, s, g)
    with torch.no_grad():
        for key, parameter in block.named_parameters():
            if parameter.dim() == 1:
                parameter.uniform_(0.5, 1.5) if key.endswith("weight") else parameter.normal_(0, 0.3)
            elif "idconv1" in key:
                parameter.normal_(0, 0.2)
        for key, buffer in block.named_buffers():
            if key.endswith("running_mean"):
                buffer.normal_(0, 0.3)
            elif key.endswith("running_var"):
                buffer.uniform_(0.5, 2)
    x = torch.randn(3, c, 9, 8, requires_grad=True)
    with h5py.File(os.path.join(os.path.dirname(__file__), f"{name}.h5"), "w") as file:
        file.attrs.update(block=kind, in_channels=c, out_channels=o, kernel_size=k, stride=s, padding=k // 2, groups=g,
                          bn_eps=1e-5, bn_momentum=0.1)

        def write(folder, items):
            for key, tensor in items:
                if not key.endswith("num_batches_tracked"):
                    file[f"{folder}/{key}"] = tensor.detach().float().numpy()

        write("param", block.named_parameters())
        write("buffer", block.named_buffers())
        file["x"] = x.detach().numpy()
        block.eval()
        file["eval/y"] = block(x).detach().numpy()
        kernel, bias = merged(block, c, k, s, g)
        file["deploy/weight"], file["deploy/bias"] = kernel.float().numpy(), bias.float().numpy()
        file["deploy/y"] = functional.conv2d(x, kernel.float(), bias.float(), s, k // 2, 1, g).detach().numpy()
        block.train()
        y = block(x)
        dy = torch.randn_like(y)
        y.backward(dy)
        file["dy"], file["train/y"], file["train/dx"] = dy.numpy(), y.detach().numpy(), x.grad.numpy()
        write("train/grad", ((key, parameter.grad) for key, parameter in block.named_parameters()))
        write("train/buffer", block.named_buffers())


if __name__ == "__main__":
    torch.set_num_threads(1)
    make("acnet_k3", "ACNet", 6, 8, 3, 1, 1, 11)
    make("acnet_k5_s2", "ACNet", 6, 8, 5, 2, 2, 12)
    make("dbb_k3_g2", "DBB", 6, 8, 3, 1, 2, 13)
    make("dbb_k3_depthwise", "DBB", 6, 6, 3, 2, 6, 14)
    make("dbb_k5", "DBB", 4, 6, 5, 1, 1, 15)
