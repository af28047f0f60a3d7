"""The few pages that there are so far: the form to log in, and a list of what the API can do."""

import html
from base64 import b64encode
from hashlib import sha256
from importlib import resources
from string import Template
from typing import Any, Final

from litestar import Request
from litestar.openapi.plugins import OpenAPIRenderPlugin

_ASSETS = resources.files("caroni_edge.web") / "assets"


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


STYLE: Final = _asset("style.css")
_PAGE, _LOGIN = Template(_asset("page.html")), Template(_asset("login.html"))

POLICY: Final = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; "
    f"style-src 'self' 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'"
)
"""The Content-Security-Policy of everything: nothing from elsewhere, and no other style than this one in a page."""


def page(title: str, body: str) -> str:
    """Return a whole page; `body` is HTML."""
    return _PAGE.substitute(title=html.escape(title), style=STYLE, body=body)


def login_page(node: str, error: str = "") -> str:
    """Return the form to log in."""
    alert = f'<p role="alert">{html.escape(error)}</p>' if error else ""
    return page(node, _LOGIN.substitute(alert=alert))


class OperationsPage(OpenAPIRenderPlugin):
    """A list of the operations in `/schema/openapi.json`, without anything from a CDN."""

    def __init__(self) -> None:
        """Serve the page at the root of the schema's path, which is `/schema`."""
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the page, made from the OpenAPI document."""
        entries = [
            f"<dt><code>{method.upper()} {html.escape(path)}</code></dt><dd>{_described(operation)}</dd>"
            for path, item in openapi_schema["paths"].items()
            for method, operation in item.items()
            if isinstance(operation, dict)
        ]
        link = '<p>For programs: <a href="/schema/openapi.json">openapi.json</a></p>'
        return page(openapi_schema["info"]["title"], f"{link}<dl>{''.join(entries)}</dl>").encode()


def _described(operation: dict[str, Any]) -> str:
    text = html.escape(operation.get("description") or operation.get("summary") or "")
    asked = [each["name"] for each in operation.get("parameters", []) if each.get("in") == "query"]
    return f"{text} <br><code>?{html.escape('= '.join(asked))}=</code>" if asked else text
