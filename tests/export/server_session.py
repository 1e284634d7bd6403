"""Answers of a SavedModel to the requests of a file, run as a model server runs it.

  python server_session.py SAVED_MODEL REQUESTS.pickle ANSWERS.pickle

TensorFlow Serving restores a SavedModel into a session, by the restore operator in its
graph, and feeds a signature's placeholders without comparing shapes. Python's
`tf.saved_model.load` does neither, and runs files that no server can.
"""

import pickle
import sys

import tensorflow as tf
from tensorflow.python.client import pywrap_tf_session


def main(folder, requests_path, answers_path):
    with open(requests_path, "rb") as file:
        requests = pickle.load(file)
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], folder)

        def tensor(info):
            return graph.get_tensor_by_name(info.name)._as_tf_output()

        def answer(signature, inputs):
            definition = loaded.signature_def[signature]
            feeds = {tensor(definition.inputs[key]): inputs[key] for key in inputs}
            keys = list(definition.outputs)
            fetches = [tensor(definition.outputs[key]) for key in keys]
            try:
                values = pywrap_tf_session.TF_SessionRun_wrapper(
                    session._session, None, feeds, fetches, [], None
                )
            except tf.errors.InvalidArgumentError as error:
                return f"INVALID_ARGUMENT: {error.message}"
            return dict(zip(keys, values, strict=True))

        answers = [answer(*request) for request in requests]
    with open(answers_path, "wb") as file:
        pickle.dump(answers, file)


if __name__ == "__main__":
    tf.compat.v1.disable_eager_execution()
    main(*sys.argv[1:])
