"""Backbones, the foreground generator and the localizer they compose."""

from bas_tf.models.localizer import Localizer, build_localizer

__all__ = ["Localizer", "build_localizer"]
