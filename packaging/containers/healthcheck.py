"""Whether the node in this container can work: the image's health check. It asks by the socket in the state directory.

It runs every few seconds, so it imports next to nothing.
"""

import os
import socket
import sys

ASK = b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n"


def main() -> int:
    """Print what the node says, which `docker inspect` shows, and return 0 if it is connected and its disk works."""
    path = os.path.join(os.environ["CARONI_EDGE_STATE_DIR"], "api.sock")
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX) as node:
            node.settimeout(4)
            node.connect(path)
            node.sendall(ASK)
            while piece := node.recv(4096):
                answer += piece
    except OSError as error:
        print(f"{path}: {error.strerror or error}: no node runs here")
        return 1
    head, _, body = answer.partition(b"\r\n\r\n")
    print(body.decode(errors="replace"))
    return 0 if head.split()[1:2] == [b"200"] else 1


if __name__ == "__main__":
    sys.exit(main())
