"""The paper's ablation: cross-entropy against L_bas, with and without the other terms.

  python -m bas_tf.ablate --config=configs/ablation.py:synthetic --workdir=runs/ablation
  python -m bas_tf.ablate --config=configs/ablation.py:butterflies \
      --config.data.root=DIR --workdir=runs/ablation_butterflies

A variant is an existing config plus the group `ablation`, which only this command
reads. --config.loss.beta=1 changes every row with that term,
--config.ablation.rows.ce_area.beta=0.3 only that row.

Cost: five times the config's training (about 25 minutes for the drawings, 40 for the
butterflies on two cores). If stopped, it resumes with the current row. Prints the table
and writes it to WORKDIR/ablation.md. Variant `:synthetic_quicktest` takes under a
minute and only checks that everything runs.
"""

from bas_tf.configs import butterflies_efficientnet_lite0, demo
from bas_tf.errors import UserError


def _butterflies():
    """Its first training alone, cut where that is best on the boxes of val."""
    config = butterflies_efficientnet_lite0.get_config()
    config.train.self_training_rounds = 0
    config.eval.score_threshold = 0.42
    return config


VARIANTS = {
    "synthetic": demo.get_config,
    "butterflies": _butterflies,
    "synthetic_quicktest": lambda: demo.get_config("quicktest"),
}
ORDER = ("ce", "ce_area", "bas", "bas_area", "full")
QUICK_ORDER = ("ce_area", "full")
EVERY_CLASS = 1_000_000


def get_config(variant: str = ""):
    if variant not in VARIANTS:
        raise UserError(
            f"configs/ablation.py:{variant}: unknown variant; known: "
            + ", ".join(VARIANTS)
        )
    config = VARIANTS[variant]()
    rows = {  # changes to the group `loss`
        "ce": {"objective": "ce", "alpha": 0.0, "beta": 0.0},
        # The same beta as with L_bas (loss.beta, unless set here), as in the paper.
        # Unlike the ratio, cross-entropy is not bounded by 1: lower beta if the map
        # collapses.
        "ce_area": {
            "objective": "ce",
            "alpha": 0.0,
            "beta": config.loss.get_oneway_ref("beta"),
        },
        "bas": {"objective": "bas", "alpha": 0.0, "beta": 0.0},
        "bas_area": {"objective": "bas", "alpha": 0.0},
        "full": {"objective": "bas"},
    }
    config.ablation = {
        "rows": rows,
        # The rows to train, in the order of the table.
        "order": QUICK_ORDER if variant == "synthetic_quicktest" else ORDER,
        "top_k_row": "full",  # is also evaluated, without training, at these top-k
        "top_k": (5, EVERY_CLASS),  # at most the number of classes
    }
    return config
