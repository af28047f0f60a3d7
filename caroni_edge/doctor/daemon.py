"""What the running node says of itself."""

import json
from http.client import HTTPConnection, HTTPException

from caroni_edge.config import NodeConfig
from caroni_edge.doctor.findings import Finding, ok, problem
from caroni_edge.node.api_socket import connect

ANSWER_WITHIN_S = 5.0


def check(config: NodeConfig) -> Finding:
    """Ask /readyz of the node that runs here."""
    connection = HTTPConnection("localhost")
    try:
        connection.sock = connect(config.state_dir, ANSWER_WITHIN_S)
        connection.request("GET", "/readyz")
        reason = json.loads(connection.getresponse().read())["reason"]
    except (OSError, HTTPException, ValueError, LookupError, TypeError) as error:
        return problem("ready", f"the node runs, and does not answer on its socket: {error}", "Look at its log.")
    finally:
        connection.close()
    if reason is None:
        return ok("ready", "the node says that it is ready")
    return problem("ready", f"the node says: {reason}", "Its log says more.")
