"""What the running node says of itself."""

import json
from http.client import HTTPConnection, HTTPException

from caroni_edge.config import NodeConfig
from caroni_edge.doctor.findings import Finding, ok, problem, warning

ANSWER_WITHIN_S = 5.0


def check(config: NodeConfig) -> Finding:
    """Ask /readyz of the node that runs here."""
    if config.web is None or not config.web.port:
        return warning("ready", "the node runs, and cannot be asked: its configuration has no page", "Look at its log.")
    connection = HTTPConnection(config.web.near_host, config.web.port, timeout=ANSWER_WITHIN_S)
    try:
        connection.request("GET", "/readyz")
        reason = json.loads(connection.getresponse().read())["reason"]
    except (OSError, HTTPException, ValueError, LookupError, TypeError) as error:
        return problem("ready", f"the node runs, and its API does not answer: {error}", "Look at its log.")
    finally:
        connection.close()
    if reason is None:
        return ok("ready", "the node says that it is ready")
    return problem("ready", f"the node says: {reason}", "Its log says more.")
