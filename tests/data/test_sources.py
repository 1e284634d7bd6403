"""The table of sources: names, and what a missing root is answered with."""

import pytest

from bas_tf.configs import cub_vgg16
from bas_tf.data.sources import SOURCES, load_source
from bas_tf.data.sources.cub import CubSource
from bas_tf.errors import DataError
from bas_tf.jobs import experiment
from tests.data import tiny_sets


def test_an_unknown_source_is_answered_with_the_known_ones():
    with pytest.raises(
        DataError,
        match="is 'voc'; known: cub, fgvc_aircraft, folder, ilsvrc, .*, tfds:NAME",
    ):
        load_source("voc", root="x")


@pytest.mark.parametrize("name", sorted(SOURCES.keys() - {"synthetic"}))
def test_an_empty_root_is_answered_with_what_it_should_hold(name):
    with pytest.raises(DataError, match="data.root is empty: name the folder that hol"):
        load_source(name, root="")


def test_a_papers_config_opens_the_raw_data_set(tmp_path):
    config = cub_vgg16.get_config()
    config.data.root = str(tiny_sets.make_cub(tmp_path))
    source = experiment.open_source(config)
    assert isinstance(source, CubSource)
    assert len(source.records(config.eval.split)) == 6
    reverse = tiny_sets.BIRDS[::-1]
    assert experiment.open_source(config, reverse).class_names == reverse
