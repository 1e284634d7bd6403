"""Asks TensorFlow Serving over gRPC: one channel, which keeps its connection."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bas_tf import names
from bas_tf.errors import UserError, one_line
from export.serving.serving_client import (
    Deadline,
    ServedModel,
    ServingClient,
    ServingError,
    UnavailableError,
)

PACKAGE = "tensorflow-serving-api==2.21.0"
_OPTIONS = [
    ("grpc.enable_retries", 0),  # retrying is the client's own, within its deadline
    ("grpc.max_send_message_length", -1),
    # A broken connection is made anew as soon as a retry asks for it.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]


class GrpcClient(ServingClient):
    """See `ServingClient`.

    Args:
      address: HOST:PORT of the server's gRPC port.
      model: which one is asked.
      timeout_s: for each call.
      retries: see `ServingClient`.

    Raises:
      UserError: tensorflow-serving-api is not installed.
    """

    def __init__(
        self, address: str, model: ServedModel, *, timeout_s: float, retries: bool
    ):
        super().__init__(model, timeout_s=timeout_s, retries=retries)
        try:
            # Imports TensorFlow, so only those who ask over gRPC wait for it.
            import grpc
            import tensorflow as tf
            from tensorflow_serving.apis import (
                predict_pb2,
                prediction_service_pb2_grpc,
            )
        except ImportError as error:
            raise UserError(
                f"--protocol=grpc: {one_line(error)}; `pip install --no-deps "
                f"{PACKAGE}`, or use --protocol=rest"
            ) from error
        self._grpc, self._tf, self._predict_pb2 = grpc, tf, predict_pb2
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def _predict(
        self, signature: str, inputs: dict[str, list], deadline: Deadline
    ) -> Mapping[str, Any]:
        request = self._request(signature, inputs)
        try:
            response = self._stub.Predict(request, timeout=deadline.seconds_left())
        except self._grpc.RpcError as error:
            raise self._failure(error) from error
        except ValueError as error:  # a channel that was closed
            raise ServingError(one_line(error)) from error
        return {key: self._read(key, proto) for key, proto in response.outputs.items()}

    def _close_connections(self) -> None:
        self._channel.close()

    def _request(self, signature: str, inputs: dict[str, list]):
        request = self._predict_pb2.PredictRequest()
        request.model_spec.name = self.model.name
        request.model_spec.signature_name = signature
        if self.model.version is not None:
            request.model_spec.version.value = self.model.version
        if self.model.label is not None:
            request.model_spec.version_label = self.model.label
        images = request.inputs[names.IMAGE_BYTES]
        images.dtype = self._tf.string.as_datatype_enum
        images.tensor_shape.dim.add(size=len(inputs[names.IMAGE_BYTES]))
        images.string_val.extend(inputs[names.IMAGE_BYTES])
        if names.CLASS_IDS in inputs:
            class_ids = np.array(inputs[names.CLASS_IDS], np.int32)
            proto = self._tf.make_tensor_proto(class_ids)
            request.inputs[names.CLASS_IDS].CopyFrom(proto)
        return request

    def _read(self, key: str, proto) -> np.ndarray:
        """The array of an output; strings become `str`."""
        try:
            values = self._tf.make_ndarray(proto)
        except (TypeError, ValueError) as error:
            message = f"the answer's output {key!r} is no tensor: {one_line(error)}"
            raise ServingError(message) from error
        if values.dtype != object:
            return values
        texts = [value.decode(errors="replace") for value in values.flat]
        return np.array(texts, np.str_).reshape(values.shape)

    def _failure(self, error) -> Exception:
        """What a call's error means."""
        code = error.code()
        told = f"{code.name}: {one_line(Exception(error.details() or 'no message'))}"
        if code == self._grpc.StatusCode.UNAVAILABLE:
            return UnavailableError(told)
        if code == self._grpc.StatusCode.DEADLINE_EXCEEDED:
            return TimeoutError(told)
        return ServingError(told)
