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


def branches(blobs):
    """Contributions to W, each O x C x 3 x 3, of the blobs of an ORepaConv of preset OREPA without groups."""
    (p, kxk, a, avg, f, prior_scale, m, n, pointwise, e, centre, d, q, depthwise) = blobs
    outputs, inputs = p.shape[:2]
    at_centre = numpy.zeros((3, 3))
    at_centre[1, 1] = 1
    kernels = (p, numpy.broadcast_to(a / 9, p.shape), f * prior(outputs)[:, None],
               numpy.einsum("othw,ti->oihw", n, m[:, :, 0, 0] + numpy.eye(*m.shape[:2])), e * at_centre,
               numpy.einsum("oir,irhw->oihw", q.reshape(outputs, inputs, -1), d.reshape(inputs, -1, 3, 3)))
    scales = kxk, avg, prior_scale, pointwise, centre, depthwise
    return {name: scale[:, None, None, None] * kernel for name, scale, kernel in zip(styles.BRANCHES, scales, kernels)}


def read(path):
    """By layer: the contributions to W; of a plain convolution W alone, as `kxk`."""
    with h5py.File(path) as file:
        layers = {name: [numpy.array(group[str(index)], float) for index in range(len(group))]
                  for name, group in file["data"].items()}
    kernels = {name: blobs for name, blobs in layers.items() if blobs[0].shape[2:] == (3, 3)}
    return {name: branches(blobs) if len(blobs) > 1 else {"kxk": blobs[0]} for name, blobs in kernels.items()}
