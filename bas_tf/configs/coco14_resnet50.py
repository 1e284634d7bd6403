r"""ResNet50 on COCO 2014 (80 classes), with the settings of VOC 2012.

  python -m bas_tf.train --config=configs/coco14_resnet50.py --config.data.root=DIR \
      --workdir=runs/coco14
  python -m bas_tf.refine --workdir=runs/coco14 --config=configs/coco14_resnet50.py \
      --config.data.root=DIR --split=val --output=label_maps

DIR holds annotations/, train2014/ and val2014/. Masks, for mIoU, need pycocotools:
pip install 'bas_tf[coco]'.

Cost: 51,300 steps of 16 crops of 448 pixels, meant for a GPU; never run in full here.
Reading the file of train takes about half a minute and 3 GB, extrapolated from a
generated one of a twentieth of its annotations.
Expected figures: none; the journal extension names the set but publishes neither
settings nor results. All but the length is that of configs/voc12_resnet50.py.
"""

from bas_tf.configs import voc12_resnet50


def get_config(variant: str = ""):
    config = voc12_resnet50.get_config(variant)
    config.data.source = "coco2014"
    config.optimizer.poly_total_steps = 205_200  # four times the steps, as for VOC
    return config
