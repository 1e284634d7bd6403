"""Connects to a TensorFlow Serving."""

import re

from bas_tf.errors import UserError, check_choice
from bas_tf.export.client.serving_client import ServedModel, ServingClient

PROTOCOLS = ("grpc", "rest")
# A server that restarts and warms up was away for 15 to 17 s on a busy machine; a call
# that is made meanwhile should outlast that, and a queue behind it.
TIMEOUT_S = 60.0


def connect(
    address: str,
    *,
    protocol: str = "grpc",
    model: ServedModel = ServedModel(),  # noqa: B008  frozen
    timeout_s: float = TIMEOUT_S,
    retries: bool = True,
) -> ServingClient:
    """A client of a server; connects with its first call.

    Args:
      address: HOST:PORT, of the port for the protocol.
      protocol: "grpc" (needs tensorflow-serving-api) or "rest".
      model: which of the server's is asked.
      timeout_s: for each call, its retries included.
      retries: False tells of every failure.

    Raises:
      UserError: the address is none, the protocol is not known or its package missing.
    """
    check_choice("protocol", protocol, PROTOCOLS)
    _check_address(address)
    if protocol == "rest":
        from bas_tf.export.client.requests_rest import RestTransport as Transport
    else:
        from bas_tf.export.client.requests_grpc import GrpcTransport as Transport
    return ServingClient(
        Transport(address, model), timeout_s=timeout_s, retries=retries
    )


def _check_address(address: str) -> None:
    match = re.fullmatch(r"([^\s:/]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})", address)
    if not match or not 0 < int(match[2]) < 65536:
        raise UserError(f"--address={address}: not HOST:PORT, such as localhost:8500")
