r"""ResNet50 on Stanford Dogs (120 breeds), with CUB's protocol and settings.

  python -m bas_tf.train --config=configs/stanford_dogs.py --config.data.root=DIR \
      --workdir=runs/stanford_dogs

DIR holds Images/, Annotation/ and the two lists, train_list.mat and test_list.mat.
With tensorflow-datasets instead:
--config.data.source=tfds:stanford_dogs, with DIR its data_dir.

Cost: 37,500 steps of 32 images; see docs/reproduce.md for timings.
Expected figures: none; the journal extension names the set but publishes neither
settings nor results. Alpha, beta and the threshold are those of
configs/paper/cub_resnet50.py; as there, the map is the mean of all 120 classes' maps.

Variant `:extension`: the journal version, as in configs/paper/cub_resnet50.py.
"""

from bas_tf.configs.paper import cub_resnet50


def get_config(variant: str = ""):
    config = cub_resnet50.get_config(variant)
    config.data.source = "stanford_dogs"
    config.model.top_k = 120
    return config
