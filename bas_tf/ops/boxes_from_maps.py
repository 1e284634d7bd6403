"""Score maps to boxes inside the graph: threshold, components, the largest one.

The foreground of each row is a list of runs. Runs that touch (8-connectivity) are
the edges of a graph, and its components are found by hooking roots and jumping
pointers until nothing changes, so the result is exact on any map. A photo's map has
a few hundred runs where it has 50,000 pixels.

All images of a batch are laid in one line of pixels, with an empty column to the
left of every row and an empty row above every image, so that no run passes from one
row or image to the next. Positions are indices into this line; `stride` is the
distance from a pixel to the one below it.

Everything converts to LiteRT with built-in operators only. The number of runs is
dynamic, so this cannot be compiled by XLA.
"""

import tensorflow as tf

from bas_tf import names


def boxes_from_maps(
    maps: tf.Tensor, *, score_threshold: float | tf.Tensor
) -> dict[str, tf.Tensor]:
    """Box of the largest 8-connected component above the threshold, per map.

    The twin of `geometry.components.box_from_map` after its resize: foreground is
    `map > score_threshold`; of equally large components the one whose first pixel
    comes first in raster order wins.

    Args:
      maps: [batch, h, w, 1] float, h and w static; NaN counts as background.
      score_threshold: scalar >= 0.

    Returns:
      names.BOXES: float32 [batch, 4] x0, y0, x1, y1, half-open, pixels of the map.
      names.DEGENERATE: bool [batch], true where nothing is above the threshold; the
        box is then the whole map.
    """
    height, width = maps.shape[1], maps.shape[2]
    num_images = tf.shape(maps)[0]
    starts, ends, up, down = _find_runs(maps, score_threshold)
    labels = _label_components(up, down)
    stride = width + 1
    # The guard run is the only one of image number `num_images`: one segment more.
    image_ids = tf.minimum(starts // ((height + 1) * stride), num_images)
    member = _in_largest_component(labels, ends - starts, image_ids, num_images + 1)
    rows = (starts // stride) % (height + 1) - 1
    left = starts % stride - 1
    boxes = _bounding_boxes(
        [left, rows, left + ends - starts, rows + 1], member, image_ids, num_images + 1
    )[:num_images]
    degenerate = boxes[:, 2] < 0
    whole = tf.constant([[0, 0, width, height]], tf.int32)
    boxes = tf.where(degenerate[:, tf.newaxis], whole, boxes)
    return {names.BOXES: tf.cast(boxes, tf.float32), names.DEGENERATE: degenerate}


def _find_runs(maps, score_threshold):
    """Runs in raster order and, for each, one run that it touches above and below.

    The edges (i, up[i]) and (i, down[i]) connect all runs that touch: where i and a
    run j of the row above touch, j is the leftmost that i touches there or i is the
    leftmost that j touches below.

    Returns:
      starts, ends: int32 [runs], half-open positions. The last run is a guard that
        touches nothing, so the lists are never empty.
      up, down: int32 [runs], indices of runs; a run's own index where it touches
        none.
    """
    stride = maps.shape[2] + 1
    padded = tf.pad(maps, [[0, 0], [1, 0], [1, 0], [0, 0]], constant_values=-1.0)
    foreground = tf.cast(tf.reshape(padded, [-1]) > score_threshold, tf.int32)
    guard = tf.constant([0] * (2 * stride) + [1, 0], tf.int32)
    line = tf.concat([foreground, guard], axis=0)
    changes = tf.not_equal(line[1:], line[:-1])  # at i: position i + 1 differs from i
    runs = tf.cast(tf.reshape(tf.where(changes), [-1, 2]), tf.int32) + 1
    starts, ends = runs[:, 0], runs[:, 1]
    num_changes = tf.cumsum(tf.cast(changes, tf.int32))
    num_runs = tf.shape(starts)[0]
    own = tf.range(num_runs)

    def first_touching(offset):
        # Runs come as start, end, start, end: half the changes up to a position are
        # the runs that ended there or before.
        before = tf.clip_by_value(starts + offset - 2, 0, tf.size(num_changes) - 1)
        candidate = tf.minimum(tf.gather(num_changes, before) // 2, num_runs - 1)
        touches = tf.gather(starts, candidate) <= ends + offset
        return tf.where(touches, candidate, own)

    return starts, ends, first_touching(-stride), first_touching(stride)


def _label_components(up: tf.Tensor, down: tf.Tensor) -> tf.Tensor:
    """Component of each run, named by its first run: int32 [runs].

    Each round hooks every run's parent to the smallest parent among the neighbours
    and then halves the distance to the root, twice. Parents only ever become
    smaller, and where a round changes none, touching runs have the same one.
    """
    num_runs = tf.shape(up)[0]

    def hook_and_jump(parents, _):
        above, below = tf.gather(parents, up), tf.gather(parents, down)
        smallest = tf.math.unsorted_segment_min(
            tf.concat([above, below, parents, parents], axis=0),
            tf.concat([parents, parents, above, below], axis=0),
            num_runs,
        )
        hooked = tf.minimum(parents, smallest)
        jumped = tf.gather(hooked, hooked)
        jumped = tf.gather(jumped, jumped)
        return jumped, tf.reduce_any(tf.not_equal(jumped, parents))

    labels, _ = tf.while_loop(
        lambda _, changed: changed,
        hook_and_jump,
        [tf.range(num_runs), tf.constant(True)],
        shape_invariants=[tf.TensorShape([None]), tf.TensorShape([])],
    )
    return labels


def _in_largest_component(labels, lengths, image_ids, num_segments) -> tf.Tensor:
    """Whether each run belongs to its image's largest component: bool [runs]."""
    num_runs = tf.shape(labels)[0]
    own = tf.range(num_runs)
    areas = tf.math.unsorted_segment_sum(lengths, labels, num_runs)  # 0 if no root
    largest = tf.math.unsorted_segment_max(areas, image_ids, num_segments)
    is_largest = tf.equal(areas, tf.gather(largest, image_ids))
    winners = tf.math.unsorted_segment_min(
        tf.where(is_largest, own, num_runs), image_ids, num_segments
    )
    return tf.equal(labels, tf.gather(winners, image_ids))


def _bounding_boxes(edges, member, image_ids, num_segments) -> tf.Tensor:
    """Smallest box around the member runs of each image: int32 [segments, 4].

    Of edges x0, y0, x1, y1 [runs]. x1 and y1 are negative in an image without runs.
    """
    low = [
        tf.math.unsorted_segment_min(
            tf.where(member, edge, tf.int32.max), image_ids, num_segments
        )
        for edge in edges[:2]
    ]
    high = [
        tf.math.unsorted_segment_max(
            tf.where(member, edge, -1), image_ids, num_segments
        )
        for edge in edges[2:]
    ]
    return tf.stack(low + high, axis=-1)
