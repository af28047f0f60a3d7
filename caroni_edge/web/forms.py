"""What a form of a page sends: `application/x-www-form-urlencoded`, read in one place."""

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
