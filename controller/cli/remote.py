"""Asking a running daemon over its HTTP port. Standard library only, so that `controller status` starts at once.

Neighbours: `app.http` answers.
"""

import http.client
import json
from typing import Any, Final

from controller.errors import ControllerError

PATIENCE: Final = 5.0
"""Seconds in which a daemon on this machine or in this network answers."""


class NobodyThere(ControllerError):
    """No daemon listens at the address."""


def ask(address: str, path: str) -> dict[str, Any]:
    """What the daemon at `host:port` answers for a path.

    Raises:
        NobodyThere: nothing listens there.
        ControllerError: it answers with an error, or something else answers.
    """
    connection = http.client.HTTPConnection(address, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except ConnectionRefusedError as error:
        raise NobodyThere(f"no controller listens on {address}") from error
    except (OSError, http.client.HTTPException) as error:
        raise ControllerError(f"no controller answers on {address}: {error}", advice="check --address") from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise ControllerError(f"the controller on {address} answers {answer.status}: {text.strip()}")
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict) or document.get("apiVersion") != "controller/v1":
        message = f"what answers on {address} is no controller"
        raise ControllerError(message, advice="check --address")
    return document
