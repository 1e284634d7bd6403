r"""ResNet50 on Stanford Cars (196 models), with CUB's protocol and settings.

  python -m bas_tf.train --config=configs/cars196.py --config.data.root=DIR \
      --workdir=runs/cars196

DIR holds cars_train/, cars_test/ and devkit/ with cars_test_annos_withlabels.mat,
or car_ims/ and cars_annos.mat. With tensorflow-datasets instead:
--config.data.source=tfds:cars196, with DIR its data_dir.

Cost: 25,400 steps of 32 images; see docs/reproduce.md for timings.
Expected figures: none; the journal extension names the set but publishes neither
settings nor results. Alpha, beta and the threshold are those of
configs/paper/cub_resnet50.py; as there, the map is the mean of all 196 classes' maps.

Variant `:extension`: the journal version, as in configs/paper/cub_resnet50.py.
"""

from bas_tf.configs.paper import cub_resnet50


def get_config(variant: str = ""):
    config = cub_resnet50.get_config(variant)
    config.data.source = "stanford_cars"
    config.model.top_k = 196
    return config
