"""Servers of the tests, by the protocol that they speak."""

import pytest

from tests.export.serving import peers


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
