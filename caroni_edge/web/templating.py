"""HTML: what every template can say, and how a handler answers with one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from urllib.parse import quote, urlencode

from jinja2 import DictLoader, Environment, StrictUndefined
from litestar import MediaType
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template
from litestar.template import TemplateConfig
from markupsafe import Markup, escape

from caroni_edge.base.ages import MOMENT, age, duration, lasting
from caroni_edge.values.carried import is_object
from caroni_edge.values.files import FILE_NAMES
from caroni_edge.web.assets import TEMPLATES, address

PARTS_SHOWN, TEXT_SHOWN = 200, 4000
"""So much of a value is shown."""
FILES_SHOWN, FILES_LOOKED_FOR = 50, 100_000
"""So many files of a value are links, which are looked for in so many parts of it."""
LINE_CHARS = 120
_SIZES = ("KiB", "MiB", "GiB", "TiB")

POLICY: Final = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; "
    "script-src 'self'; style-src 'self'; img-src 'self'"
)
"""The Content-Security-Policy of everything: nothing from elsewhere, no script and no style within a page."""


@dataclass(frozen=True, slots=True)
class MenuItem:
    """A page in the bar on top.

    Attributes:
        name: What people read.
        path: Where it is.
        below: The beginnings of the paths that belong to it too.
    """

    name: str
    path: str
    below: tuple[str, ...] = ()

    def leads_to(self, path: str) -> bool:
        """Tell whether a page belongs to this item."""
        return path == self.path or path.startswith(self.below)


def page(template: str, /, *, http_status: int = 200, **context: Any) -> Template:
    """Return an answer in HTML.

    Args:
        template: Path of the template, in `web/templates`.
        http_status: Of the answer.
        context: What the template is given; the request is there too.
    """
    return Template(template, context=context, status_code=http_status, media_type=MediaType.HTML)


def engine(node: Any, menu: Sequence[MenuItem]) -> "TemplateConfig[JinjaTemplateEngine]":
    """Return the templates of a node: an undefined name is an error, and every value is escaped."""
    environment = Environment(
        loader=DictLoader(TEMPLATES),
        autoescape=True,
        extensions=["jinja2.ext.loopcontrols"],
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(node=node, menu=menu, static=address, link=link, in_path=in_path)
    environment.filters.update(
        age=age,
        duration=duration,
        lasting=lasting,
        bytes=size,
        json=as_json,
        cut=cut,
        moments=moments,
        large_files=large_files,
    )
    return TemplateConfig(instance=JinjaTemplateEngine(engine_instance=environment))


def moments(sentence: str) -> Markup:
    """Say the moments in a sentence as elsewhere: how long ago it was, or after "since" for how long it has lasted."""
    said = Markup("")
    last = 0
    for found in MOMENT.finditer(sentence):
        said += escape(sentence[last : found.start()]) + _moment(found[0], found[1], found[2])
        last = found.end()
    return said + escape(sentence[last:])


def _moment(as_it_stands: str, word: str | None, stamp: str) -> Markup:
    try:
        text = lasting(stamp) if word == "since" else age(stamp)
    except ValueError:  # a text of somebody's that only looks like a moment
        return escape(as_it_stands)
    if word == "since":
        return Markup('for <time class="lasting" datetime="{0}" title="{0}">{1}</time>').format(stamp, text)
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(stamp, text)


def size(count: float | None) -> str:
    """Say how many bytes there are; nothing for None."""
    if count is None:
        return ""
    if count < 1024:
        return f"{int(count)} B"
    for unit in _SIZES:
        count /= 1024
        if count < 1024 or unit == _SIZES[-1]:
            break
    return f"{count:.1f} {unit}"


def as_json(value: Any) -> str:
    """Write a value for people to read: in one line if that is a short one."""
    text = json.dumps(value, ensure_ascii=False)
    is_long = isinstance(value, dict | list) and len(text) > LINE_CHARS
    return json.dumps(value, ensure_ascii=False, indent=1) if is_long else text


def cut(value: Any) -> Any:
    """Return as much of a value as people read; what is left out is said in it."""
    return _cut(value, [PARTS_SHOWN])


def _cut(value: Any, left: list[int]) -> Any:
    """Return the beginning of a value; `left` is how many parts may still be shown."""
    if isinstance(value, str):
        return value if len(value) <= TEXT_SHOWN else f"{value[:TEXT_SHOWN]}… ({len(value):,} characters)"
    if not isinstance(value, list | dict):
        return value
    first = value[: left[0]] if isinstance(value, list) else dict(islice(value.items(), left[0]))
    left[0] -= len(first)
    more = f"… {len(value) - len(first):,} more" if len(first) < len(value) else ""
    if isinstance(first, dict):
        return {name: _cut(each, left) for name, each in first.items()} | ({more: "…"} if more else {})
    return [_cut(each, left) for each in first] + ([more] if more else [])


def large_files(value: Any) -> list[dict[str, Any]]:
    """Return the files and directories in a value, as far as people look at them, that do not travel in it."""
    found, todo = [], [value]
    for each in todo:  # what is inside is looked at behind what is there already
        if isinstance(each, list):
            todo += each
        elif isinstance(each, dict):
            todo += each.values()
            if each.get("class") in FILE_NAMES and is_object(each.get("location")):
                found.append(each)
        if len(found) == FILES_SHOWN or len(todo) > FILES_LOOKED_FOR:
            break
    return found


def link(path: str, asked: Mapping[str, Any], **changed: Any) -> str:
    """Return the address of a page with what is asked of it, and with some of that changed; nothing is left out."""
    query = {name: value for name, value in {**asked, **changed}.items() if value not in (None, "")}
    return f"{path}?{urlencode(query)}" if query else path


def in_path(name: str) -> str:
    """Return a name as it stands in the path of an address; its slashes stay."""
    return quote(name, safe="/")
