"""Servers of the tests, by the protocol that they speak."""

import pytest

from tests.export.serving import peers, real_server


@pytest.fixture(params=peers.PROTOCOLS)
def peer(request):
    with getattr(peers, f"{request.param}_peer")() as peer:
        yield peer


@pytest.fixture
def rest():
    with peers.rest_peer() as peer:
        yield peer


@pytest.fixture
def grpc_peer():
    with peers.grpc_peer() as peer:
        yield peer


@pytest.fixture(scope="package")
def exported(demo_workdir, tmp_path_factory):
    """A model's folder with version 1, as an export leaves it."""
    from bas_tf.export.artifacts import saved_models

    folder = tmp_path_factory.mktemp("exported") / "bas"
    saved_models.export_version(demo_workdir, folder)
    return folder


@pytest.fixture(scope="package")
def server(exported):
    """A real one, with the files as they were written."""
    with real_server.started(exported) as server:
        yield server


@pytest.fixture(autouse=True)
def logs():
    """Of real servers, shown when a test failed."""
    yield
    real_server.show_logs()
