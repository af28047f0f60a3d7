"""What pages and programs send: forms (`application/x-www-form-urlencoded`) and JSON objects, read in one place."""

import json
from typing import Any
from urllib.parse import parse_qsl

from caroni_edge.web.problems import Problem

FIELDS_MAX = 1000
CSRF_FIELD = "csrf"


def fields(body: bytes) -> dict[str, str]:
    """Return the fields of a form by name; of those that come twice the last one counts.

    Raises:
        Problem: 400, it is no form.
    """
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict"))
    except ValueError:
        raise Problem(400, f"this is no form: text in UTF-8 with {FIELDS_MAX} fields at most") from None


def json_object(body: bytes) -> dict[str, Any]:
    """Return the object that a body is, as JSON.

    Raises:
        Problem: 400, it is none.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Problem(400, "the body is a JSON object")
    return found
