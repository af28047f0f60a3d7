"""A page that lists what the API can do, made from its OpenAPI document."""

from typing import Any

from litestar import Request
from litestar.openapi.plugins import OpenAPIRenderPlugin


class OperationsPage(OpenAPIRenderPlugin):
    """A list of the operations in `/schema/openapi.json`, without anything from a CDN."""

    def __init__(self) -> None:
        """Serve the page at the root of the schema's path, which is `/schema`."""
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the page, made from the OpenAPI document."""
        operations = [
            {"method": method.upper(), "path": path, "text": _text(operation), "asked": _asked(operation)}
            for path, item in openapi_schema["paths"].items()
            for method, operation in item.items()
            if isinstance(operation, dict)
        ]
        templates = request.app.template_engine
        assert templates is not None
        shown = templates.get_template("operations.html")
        title = openapi_schema["info"]["title"]
        text: str = shown.render(request=request, title=title, operations=operations)
        return text.encode()


def _text(operation: dict[str, Any]) -> str:
    return operation.get("description") or operation.get("summary") or ""


def _asked(operation: dict[str, Any]) -> list[str]:
    return [each["name"] for each in operation.get("parameters", []) if each.get("in") == "query"]
