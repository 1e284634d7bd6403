r"""ResNet50 on FGVC-Aircraft 2013b (100 variants), with CUB's protocol and settings.

  python -m bas_tf.train --config=configs/fgvc_aircraft.py --config.data.root=DIR \
      --workdir=runs/fgvc_aircraft

DIR holds the release: data/ with images/, variants.txt and the tables.

Cost: 20,800 steps of 32 images; see docs/reproduce.md for timings.
Expected figures: none; the journal extension names the set but publishes neither
settings nor results. Alpha, beta and the threshold are those of
configs/paper/cub_resnet50.py; as there, the map is the mean of all 100 classes' maps.

Variant `:extension`: the journal version, as in configs/paper/cub_resnet50.py.
"""

from bas_tf.configs.paper import cub_resnet50


def get_config(variant: str = ""):
    config = cub_resnet50.get_config(variant)
    config.data.source = "fgvc_aircraft"
    config.model.top_k = 100
    return config
