"""The kernels of a network's 3 x 3 convolutions in a snapshot in HDF5, of ORepaConvs branch by branch (docs/orepa.md)."""
import h5py
import numpy

import styles


def prior(outputs):
    """The fixed cosines of `prior`, O x 3 x 3."""
    centres = (numpy.arange(3) + 0.5) / 3
    half = outputs / 2
    rows = [numpy.cos(numpy.pi * centres * (o + 1)) if o < half else numpy.ones(3) for o in range(outputs)]
    columns = [numpy.ones(3) if o < half else numpy.cos(numpy.pi * centres * (o + 1 - half)) for o in range(outputs)]
    return numpy.array(rows)[:, :, None] * numpy.array(columns)[:, None, :]


def branches(of):
    """By branch its scaling vector, O x 1 x 1 x 1, and the kernel before scaling, O x C x 3 x 3, from the parameters of an
    ORepaConv of preset OREPA without groups."""
    p, kxk, a, avg, f, prior_scale, m, n, pointwise, e, centre, d, q, depthwise = of
    outputs, inputs = p.shape[:2]
    at_centre = numpy.zeros((3, 3))
    at_centre[1, 1] = 1
    kernels = (p, numpy.broadcast_to(a / 9, p.shape), f * prior(outputs)[:, None],
               numpy.einsum("othw,ti->oihw", n, m[:, :, 0, 0] + numpy.eye(*m.shape[:2])), e * at_centre,
               numpy.einsum("oir,irhw->oihw", q.reshape(outputs, inputs, -1), d.reshape(inputs, -1, 3, 3)))
    scales = kxk, avg, prior_scale, pointwise, centre, depthwise
    return {name: (scale[:, None, None, None], kernel) for name, scale, kernel in zip(styles.BRANCHES, scales, kernels)}


def blobs(path):
    """By layer: its parameters."""
    with h5py.File(path) as file:
        return {name: [numpy.array(group[str(index)], float) for index in range(len(group))]
                for name, group in file["data"].items()}


def read(path):
    """By layer its branches; a plain convolution is one `kxk` of scale 1."""
    kernels = {name: of for name, of in blobs(path).items() if of[0].shape[2:] == (3, 3)}
    return {name: branches(of) if len(of) > 1 else {"kxk": (1, of[0])} for name, of in kernels.items()}
