"""The few pages that there are so far: the form to log in, and a list of what the API can do."""

import html
from base64 import b64encode
from hashlib import sha256
from typing import Any, Final

from litestar import Request
from litestar.openapi.plugins import OpenAPIRenderPlugin

STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;"
    "color:#1d2733;background:#fff}"
    "code{font:14px ui-monospace,monospace}dt{margin-top:1rem}label{display:block;margin:1rem 0}"
    "input,button{font:inherit;padding:.3rem .6rem}[role=alert]{color:#a40000}"
    "@media(prefers-color-scheme:dark){body{color:#e6e9ee;background:#14181d}[role=alert]{color:#ff8d8d}"
    "a{color:#8ab4ff}}"
)
POLICY: Final = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; "
    f"style-src 'self' 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'"
)
"""The Content-Security-Policy of everything: nothing from elsewhere, and no other style than this one in a page."""


def page(title: str, body: str) -> str:
    """Return a whole page; `body` is HTML."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><h1>{html.escape(title)}</h1>{body}</body></html>"
    )


def login_page(node: str, error: str = "") -> str:
    """Return the form to log in."""
    alert = f'<p role="alert">{html.escape(error)}</p>' if error else ""
    form = (
        '<form method="post" action="/login">'
        '<label>User name <input name="username" autocomplete="username" required autofocus></label>'
        '<label>Password <input name="password" type="password" autocomplete="current-password" required></label>'
        "<button>Log in</button></form>"
    )
    return page(node, alert + form)


class OperationsPage(OpenAPIRenderPlugin):
    """A list of the operations in `/schema/openapi.json`, without anything from a CDN."""

    def __init__(self) -> None:
        """Serve it at `/schema`."""
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the page."""
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
