"""Asks TensorFlow Serving over gRPC: one channel, which keeps its connection."""

import time

import numpy as np

from bas_tf import names
from bas_tf.errors import UserError, one_line
from bas_tf.export.client.served import ServedModel, ServingError

PACKAGE = "tensorflow-serving-api==2.21.0"
# All threads of the server wait, or it takes no request; a broken connection is the
# latter. By TensorFlow Serving both come before the model has run.
_LATER = ("RESOURCE_EXHAUSTED", "UNAVAILABLE")
_OPTIONS = [
    # gRPC's own retries know no backoff that lowers how many calls are under way.
    ("grpc.enable_retries", 0),
    ("grpc.max_send_message_length", -1),
    # A broken connection is made anew as soon as a retry asks for it.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]


class GrpcTransport:
    """See `RestTransport`.

    Raises:
      UserError: tensorflow-serving-api is not installed.
    """

    def __init__(self, address: str, model: ServedModel):
        try:
            # Imports TensorFlow, so only those who ask over gRPC wait for it.
            import grpc
            import tensorflow as tf
            from tensorflow_serving.apis import predict_pb2
            from tensorflow_serving.apis import prediction_service_pb2_grpc as service
        except ImportError as error:
            raise UserError(
                f"--protocol=grpc: {one_line(error)}; `pip install --no-deps "
                f"{PACKAGE}`, or use --protocol=rest"
            ) from error
        self._grpc, self._tf, self._predict_pb2 = grpc, tf, predict_pb2
        self._model = model
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._stub = service.PredictionServiceStub(self._channel)

    def predict(
        self, signature: str, inputs: dict[str, list], end: float
    ) -> dict[str, np.ndarray]:
        request = self._request(signature, inputs)
        try:
            response = self._stub.Predict(request, timeout=end - time.monotonic())
        except self._grpc.RpcError as error:
            code = error.code().name
            if code == "DEADLINE_EXCEEDED":
                raise TimeoutError from error
            details = one_line(Exception(error.details() or "no message"))
            raise ServingError(
                f"{code}: {details}", kind=code.lower(), later=code in _LATER
            ) from error
        except ValueError as error:  # a channel that was closed
            raise ServingError(one_line(error)) from error
        return {key: self._array(key, p) for key, p in response.outputs.items()}

    def close(self) -> None:
        self._channel.close()

    def _request(self, signature: str, inputs: dict[str, list]):
        request = self._predict_pb2.PredictRequest()
        request.model_spec.name = self._model.name
        request.model_spec.signature_name = signature
        if self._model.version is not None:
            request.model_spec.version.value = self._model.version
        if self._model.label is not None:
            request.model_spec.version_label = self._model.label
        for name, values in inputs.items():
            dtype = np.int32 if name == names.CLASS_IDS else object  # keeps NUL bytes
            proto = self._tf.make_tensor_proto(np.array(values, dtype))
            request.inputs[name].CopyFrom(proto)
        return request

    def _array(self, key: str, proto) -> np.ndarray:
        """An output; its strings become `str`."""
        try:
            values = self._tf.make_ndarray(proto)
        except (TypeError, ValueError) as error:
            message = f"the answer's output {key!r} is no tensor: {one_line(error)}"
            raise ServingError(message) from error
        if values.dtype != object:
            return values
        texts = [value.decode(errors="replace") for value in values.flat]
        return np.array(texts, np.str_).reshape(values.shape)
