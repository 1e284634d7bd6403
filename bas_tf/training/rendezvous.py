"""Workers find each other before TensorFlow starts.

TensorFlow's first worker waits for the others inside one call that nothing ends: no
time limit, no SIGTERM. So they meet here first, on the port that TensorFlow takes next.
"""

import contextlib
import socket
import time
from collections.abc import Sequence

from bas_tf.errors import UserError

START = b"start\n"
_RETRY_S, _SPEAK_S = 0.5, 5


def meet(addresses: Sequence[str], index: int, *, timeout_s: float) -> None:
    """Returns once every worker has come.

    Args:
      addresses: HOST:PORT of every worker, the first one's first.
      index: this one's place in them.

    Raises:
      UserError: somebody has not come, or the port is in use.
    """
    deadline = time.monotonic() + timeout_s
    if len(addresses) == 1:
        return
    if index == 0:
        _wait_for_others(addresses, deadline, timeout_s)
    else:
        _report_to_first(addresses, index, deadline, timeout_s)


def _wait_for_others(addresses, deadline: float, timeout_s: float) -> None:
    came: dict[int, socket.socket] = {}
    with contextlib.ExitStack() as held:
        server = held.enter_context(_listen(addresses[0]))
        while len(came) < len(addresses) - 1:
            left = deadline - time.monotonic()
            if left <= 0:
                absent = ", ".join(
                    f"worker {i} ({address})"
                    for i, address in enumerate(addresses)
                    if i and i not in came
                )
                raise UserError(
                    f"TF_CONFIG: {absent} did not come within {timeout_s:g} s; start "
                    f"every worker, where it can reach {addresses[0]}"
                )
            server.settimeout(min(left, _RETRY_S))
            # Strangers say no number, or nothing; a worker may be gone again.
            with contextlib.suppress(ValueError, OSError):
                other, _ = server.accept()
                held.enter_context(other)
                other.settimeout(_SPEAK_S)
                number = int(other.recv(20))
                if 0 < number < len(addresses):
                    came[number] = other
            came = {i: other for i, other in came.items() if _is_there(other)}
        for other in came.values():
            other.settimeout(_SPEAK_S)
            with contextlib.suppress(OSError):
                other.sendall(START)
                other.recv(1)  # it hangs up first: the port is free at once


def _is_there(other: socket.socket) -> bool:
    """Whether a worker that waits for START has not hung up."""
    other.setblocking(False)
    try:
        return bool(other.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return True
    except OSError:
        return False


def _listen(address: str) -> socket.socket:
    port = int(address.rpartition(":")[2])
    try:
        return socket.create_server(("", port))
    except OSError as error:
        raise UserError(
            f"TF_CONFIG: port {port} of {address}, worker 0's, cannot be opened here "
            f"({error.strerror})"
        ) from error


def _report_to_first(addresses, index: int, deadline: float, timeout_s: float) -> None:
    host, _, port = addresses[0].rpartition(":")
    reason = "no answer"
    while (left := deadline - time.monotonic()) > 0:
        try:
            with socket.create_connection((host, int(port)), timeout=min(left, 5)) as s:
                s.sendall(f"{index}\n".encode())
                s.settimeout(max(deadline - time.monotonic(), 0.001))
                # Anything but START is TensorFlow: the others have met already, and
                # this worker comes back.
                if s.recv(len(START)):
                    return
        except OSError as error:
            reason = error.strerror or str(error)
        time.sleep(_RETRY_S)
    raise UserError(
        f"TF_CONFIG: worker {index} was not told to start by worker 0 at "
        f"{addresses[0]} within {timeout_s:g} s ({reason}); start every worker, where "
        "it can reach that address"
    )
