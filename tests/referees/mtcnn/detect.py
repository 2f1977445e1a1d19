"""Faces in an image by MTCNN's cascade (Zhang et al., 2016): P-Net looks at every place of a pyramid of images, R-Net and
O-Net at what the net before has left. A net is a function of images, batch x 3 x height x width, to blobs by name."""

import numpy

THRESHOLDS = 0.6, 0.7, 0.7
FACTOR = 0.709  # from one image of the pyramid to the next
CELL, STRIDE = 12, 2  # what P-Net sees, and how far it moves


def resize(image, size):
    """Each pixel of the result is the mean of all those that it covers, channels x height x width."""
    for axis, extent in zip((1, 2), size):
        given = image.shape[axis]
        steps = numpy.arange(extent + 1) * given
        starts, ends = steps[:-1] // extent, -(-steps[1:] // extent)
        sums = numpy.insert(numpy.cumsum(image, axis=axis, dtype="float64"), 0, 0, axis=axis)
        shape = [-1 if i == axis else 1 for i in range(3)]
        image = (sums.take(ends, axis) - sums.take(starts, axis)) / (ends - starts).reshape(shape)
    return image


def normalised(images):
    return ((numpy.stack(images) - 127.5) * 0.0078125).astype("float32")


def best(boxes, limit, of_smaller=False):
    """Indices of boxes, most likely first, none of which covers more than `limit` of another: of both together or, as the
    last stage wants it, with whole pixels and of the smaller one."""
    x1, y1, x2, y2, scores = boxes[:, :5].T
    edge = 1 if of_smaller else 0
    areas = (x2 - x1 + edge) * (y2 - y1 + edge)
    left, kept = numpy.argsort(-scores, kind="stable"), []
    while len(left):
        first, left = left[0], left[1:]
        kept.append(first)
        width = numpy.minimum(x2[first], x2[left]) - numpy.maximum(x1[first], x1[left]) + edge
        height = numpy.minimum(y2[first], y2[left]) - numpy.maximum(y1[first], y1[left]) + edge
        both = numpy.maximum(width, 0) * numpy.maximum(height, 0)
        whole = numpy.minimum(areas[first], areas[left]) if of_smaller else areas[first] + areas[left] - both
        left = left[both <= limit * whole]
    return numpy.array(kept, dtype=int)


def moved(boxes, moves, edge):
    """Boxes whose corners go by shares of their width and height."""
    size = numpy.tile(boxes[:, 2:4] - boxes[:, :2] + edge, 2)
    return numpy.hstack([boxes[:, :4] + moves * size, boxes[:, 4:5]])


def squares(boxes):
    """Around the same centres, as long as the longer side."""
    size = boxes[:, 2:4] - boxes[:, :2]
    side = size.max(axis=1, keepdims=True)
    corners = boxes[:, :2] + size / 2 - side / 2
    return numpy.hstack([corners, corners + side, boxes[:, 4:5]])


def cut(image, boxes, size):
    """What is in the boxes, as far as the image reaches."""
    height, width = image.shape[1:]
    parts = []
    for x1, y1, x2, y2 in boxes[:, :4].astype(int):
        part = image[:, max(y1, 1) - 1:min(y2, height), max(x1, 1) - 1:min(x2, width)]
        parts.append(resize(part, (size, size)))
    return normalised(parts)


def proposals(image, pnet, least):
    height, width = image.shape[1:]
    scale, boxes = CELL / least, []
    while min(height, width) * scale >= CELL:
        outputs = pnet(normalised([resize(image, (int(height * scale + 1), int(width * scale + 1)))]))
        scores, moves = outputs["prob1"][0, 1], outputs["conv4-2"][0]
        rows, columns = numpy.nonzero(scores >= THRESHOLDS[0])
        corners = numpy.stack([columns, rows], axis=1) * STRIDE
        found = numpy.hstack([numpy.floor((corners + 1) / scale), numpy.floor((corners + CELL) / scale),
                              scores[rows, columns, None], moves[:, rows, columns].T])
        boxes.append(found[best(found, 0.5)])
        scale *= FACTOR
    boxes = numpy.concatenate(boxes)
    boxes = boxes[best(boxes, 0.7)]
    return squares(moved(boxes, boxes[:, 5:9], 0))


def judged(image, boxes, net, size, threshold):
    """The boxes that a net takes for faces, and what else it says of each."""
    outputs = net(cut(image, boxes, size))
    scores = outputs.pop("prob1")[:, 1]
    likely = scores > threshold
    return (numpy.hstack([boxes[likely, :4], scores[likely, None]]),
            {blob: values[likely] for blob, values in outputs.items()})


def detect(image, pnet, rnet, onet, least=20):
    """image: height x width x (red, green, blue), bytes; least: the side of the smallest face, in pixels. Boxes of faces,
    each x1, y1, x2, y2 and its probability, and by face five points: eyes, nose, corners of the mouth."""
    image = image.astype("float64").transpose(2, 0, 1)
    boxes = proposals(image, pnet, least)
    if len(boxes):
        boxes, said = judged(image, boxes, rnet, 24, THRESHOLDS[1])
        kept = best(boxes, 0.7)
        boxes = squares(moved(boxes[kept], said["conv5-2"][kept], 1))
    if len(boxes) == 0:
        return boxes, numpy.zeros((0, 5, 2))
    boxes, said = judged(image, boxes, onet, 48, THRESHOLDS[2])
    marks = said["conv6-3"].reshape(-1, 2, 5).transpose(0, 2, 1)
    points = marks * (boxes[:, None, 2:4] - boxes[:, None, :2] + 1) + boxes[:, None, :2] - 1
    boxes = moved(boxes, said["conv6-2"], 1)
    kept = best(boxes, 0.7, of_smaller=True)
    return boxes[kept], points[kept]
