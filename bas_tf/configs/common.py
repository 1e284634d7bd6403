"""The defaults of every config: all keys, each with its meaning."""

import ml_collections

from bas_tf.errors import UserError

# Files and folders. They may begin with ~.
PATH_KEYS = ("data.root", "data.pseudo_masks", "data.corrected_boxes", "model.weights")


def base_config() -> ml_collections.ConfigDict:
    """All keys; a config changes values and never adds keys."""
    groups = {
        "data": _data(),
        "model": _model(),
        "loss": _loss(),
        "optimizer": _optimizer(),
        "train": _train(),
        "eval": _eval(),
        "export": _export(),
    }
    return ml_collections.ConfigDict(groups)


def with_defaults(saved: dict) -> ml_collections.ConfigDict:
    """The config of a workdir; what an older version did not know has its default."""
    config = base_config().to_dict()
    for group, values in saved.items():
        config[group] = config.get(group, {}) | values
    return ml_collections.ConfigDict(config)


def _data() -> dict:
    """Where photos come from, and how they become batches."""
    return {
        # folder (train/<class>/, val/<class>/…, labels.csv), cub, ilsvrc,
        # open_images30k, stanford_cars, stanford_dogs, fgvc_aircraft, voc2012,
        # coco2014, tfds:NAME of tensorflow-datasets, shards (of check_data), synthetic
        "source": "folder",
        "root": "",  # data folder; for tfds its data_dir, "" for the default
        # folder: True scales boxes whose file states another photo size of the same
        # proportions; False: such a size is a fault
        "rescale_boxes": False,
        "image_size": (144, 144),  # synthetic: width, height of the drawings
        "num_images": {"train": 2048, "val": 256, "test": 512},  # synthetic
        "seed": 0,  # synthetic: another seed draws other images
        # synthetic: objects in each drawing, and the largest IoU of their boxes; 0.0
        # keeps them apart, otherwise each overlaps another one
        "objects_per_image": 1,
        "object_overlap": 0.0,
        "none_every": 0,  # synthetic: 10: each tenth drawing shows no object; 0: off
        "classes_per_image": 1,  # synthetic: how many classes the objects are of
        "resize_size": (256, 256),  # width, height; aspect not kept
        "crop_size": (224, 224),  # width, height; multiples of 32
        "batch_size": 32,  # global
        # A folder of masks of training photos, of bas_tf.refine or another tool:
        # the map is trained towards them, too. "": labels alone. With map_outputs
        # softmax label maps, as bas_tf.refine writes of several classes
        "pseudo_masks": "",
        # folder: a file of boxes of some training photos that a person corrected, as
        # bas_tf.annotate's review saves it. The masks of bas_tf.refine, and of
        # train.self_training_rounds, keep to them
        "corrected_boxes": "",
        "cache": True,  # keep resized images in memory
    }


def _model() -> dict:
    """The network and the weights it starts from."""
    return {
        # vgg16, resnet50, mobilenet_v1, inception_v3 (the paper's), or
        # efficientnet_lite0
        "backbone": "mobilenet_v1",
        # paper; keras, as expected by the ImageNet weights of Keras Applications
        # (resnet50, mobilenet_v1, inception_v3)
        "variant": "paper",
        "width": 1.0,  # mobilenet_v1: channel multiplier
        "head_downsampling": "stride",  # mobilenet_v1: stride (paper), pool
        # "" for random weights, "imagenet", a file of bas_tf.import_weights, or the
        # workdir of a training with the same network and classes
        "weights": "",
        "classifier": "paper",  # paper, linear, separable
        "classifier_width": 1024,  # paper, separable: channels of the hidden layers
        "final_relu": True,  # ReLU on the class maps
        "head_biases": True,  # of the class maps and the foreground generator
        "trunk_stride": 8,  # resnet50: 8 (paper), 16 (its segmentation network)
        "normalize_generator_input": False,
        # sigmoid: a map a class, trained by the losses below. softmax: one more output,
        # background, and each pixel's label is the highest; learns label maps
        # (data.pseudo_masks) by their cross-entropy, in place of the map's losses
        "map_outputs": "sigmoid",
        "top_k": 1,  # predicted classes whose maps are averaged
    }


def _loss() -> dict:
    """The four losses and their weights."""
    return {
        "objective": "bas",  # generator loss: bas (L_bas), ce (L_ce, a baseline)
        "alpha": 0.5,  # weight of foreground region guidance
        "beta": 1.5,  # weight of the area constraint
        "background_wins": "zero",  # L_bas where S^b >= S: zero, one, gradient
        # single: a softmax over the classes (L_cls). multilabel: each class in the
        # photo against those that are not (L_mcls); one of them, drawn anew in each
        # epoch, is the label of the other terms
        "classification": "single",
        # multilabel, while the map has no label maps to learn: "all": every class in
        # the photo is that label in turn, and the mean counts; so many times the cost
        "positives": "one",
        # True: L_frg trains the map alone, not the classifier (extension, segmentation)
        "frg_stops_class_maps": False,
    }


def _optimizer() -> dict:
    """The update and its rate."""
    return {
        "kind": "sgd",  # sgd (torch's, with the paper's rate groups), adam
        "base_rate": 1e-3,
        "momentum": 0.9,
        "nesterov": True,  # sgd
        "l2": 5e-4,
        # sgd: rate of biases and BatchNorm's beta relative to the other weights; 0
        # leaves them as they are
        "bias_rate": 2.0,
        "schedule": "step",  # step, cosine, poly: times (1 - step / T)^0.9
        "drop_epochs": (80,),  # step: a drop after each of these epochs
        "drop_factor": 0.1,
        "poly_total_steps": 0,  # T of poly; 0: the number of steps
        "warmup_steps": 0,
        # Maximum global norm of the gradient of all replicas together; 0: off
        "clip_norm": 0.0,
        # Momentum of an exponential average of the weights, e.g. 0.999; 0: off
        "ema": 0.0,
    }


def _train() -> dict:
    """Length, rounds, precision and checkpoints of a training."""
    return {
        "epochs": 100,
        "classifier_epochs": 0,  # first epochs, without the generator's loss terms
        "classifier_scale": 1.0,  # 0.6: at so much of data.crop_size, in less time
        # Once the generator trains, BatchNorm of the backbone uses the batch
        # (True, as in the paper) or its moving statistics (False).
        "batch_statistics": True,
        # default; mirrored, all GPUs of this machine; multi_worker, all processes
        # in TF_CONFIG (--local_workers sets it); tpu, tpu:NAME, tpu:local, which
        # have never run on a TPU
        "strategy": "default",
        # False: BatchNorm uses each replica's part of the batch, as in the paper.
        # True: the whole batch, so any number of replicas matches one replica, for
        # two more all-reduces per layer and pass.
        "synchronized_batch_norm": False,
        # Compute precision of layers: float32, mixed_bfloat16, or mixed_float16
        # (with a loss scale); weights, losses and exports are always float32.
        "precision": "float32",
        # Equal parts in which a replica processes its share of data.batch_size, one
        # after the other, to save memory. BatchNorm then sees one part at a time.
        "accumulation_steps": 1,
        # Compile the forward and backward pass with XLA; one replica only. On CPU a
        # step then takes several times as long (docs/machines.md).
        "jit_compile": False,
        # How often the trained network makes masks of its own training photos,
        # refined by their colours, and is trained on towards them; 0: off. The last
        # round takes so many epochs, those before it half as many, each from this rate
        # down by a cosine. Several classes a photo (multilabel): label maps, and the
        # student's map_outputs are softmax.
        "self_training_rounds": 0,
        "self_training_epochs": 6,
        "self_training_rate": 1e-3,
        # multilabel: up to which value a map is background in the label maps
        "self_training_threshold": 0.5,
        "seed": 0,
        "log_every_steps": 10,
        # Also save every so many steps, not only at the end of an epoch; 0: off
        "checkpoint_every_steps": 0,
        "keep_checkpoints": 2,  # the newest ones
        # True: a background thread writes them
        "asynchronous_checkpoints": False,
        # "" uses the last step's weights. Otherwise a figure of protocol bas: each
        # epoch is evaluated on split val, and evaluation and export use the best
        # one. top1_acc needs only labels; gt_known_loc, mean_iou and
        # predicted_map_loc need the boxes of val.
        "select_by": "",
    }


def _eval() -> dict:
    """How a trained network is evaluated."""
    return {
        "split": "val",  # evaluated when training ends
        "batch_size": 32,
        "score_threshold": 0.15,
        # fixed; self, from the split's photos and maps alone, see
        # `refinement.pseudo_mask`; val-optimal (on val itself: an oracle); oracle
        "threshold_origin": "fixed",
        # Whose map and box are evaluated (docs/method.md): label, as in the papers'
        # GT-known Loc; predicted, all that a deployed model has
        "map_class": "label",
        # foreground; cam, the same network's class activation map, as a baseline
        "map": "foreground",
        # Boxes of masks that follow the photo's colours: none, pamr, grabcut
        "refine": "none",
        # What a workdir's map is averaged over: widths of the network's input, and
        # their mirror images, as "160,224,flip"; "" is one view
        "views": "",
        # all: also precision and recall of the boxes of all objects of a map, see
        # `geometry.objects`; one: the largest component's box alone
        "boxes": "one",
        "ten_crop": False,  # classify by the mean of ten crops
        "ten_crop_precision": "float32",  # of the nine crops that give no box
    }


def _export() -> dict:
    """What exported files need beyond the network."""
    return {
        "calibration_images": 128,  # int8: distinct training images
        # Of the trained model, e.g. "CC-BY-4.0", stated in its files; "": none
        "license": "",
    }


def no_variants(variant: str) -> None:
    """Refuses `configs/X.py:variant` for a config without variants."""
    if variant:
        raise UserError(f"--config: unknown variant {variant!r}; this config has none")
