"""Types as people write them, which is as CWL does: `string`, `int[]?`, a list of types, or an object.

The names are those of CWL v1.2 (https://www.commonwl.org/v1.2/Workflow.html#CWLType), `[]` and `?` those of its Schema
Salad (https://www.commonwl.org/v1.2/SchemaSalad.html). What a type says of values is in `caroni_edge.values.types`.
"""

from collections.abc import Mapping
from functools import lru_cache

from caroni_edge.base.text import is_unicode
from caroni_edge.documents.documents import nearest
from caroni_edge.values.files import FILE_NAMES, FileType
from caroni_edge.values.json import shown
from caroni_edge.values.types import ANY, NULL, SCALAR_NAMES, Array, Enum, Record, Scalar, Type, union

_DEPTH_MAX = 16
_NAMES = (*SCALAR_NAMES, "Any", *FILE_NAMES)
_NO_TYPES = {
    "stdin": "stdin is the type of one input of a command line tool, and stands for a File",
    "stdout": "stdout is the type of outputs of a command line tool, and stands for a File",
    "stderr": "stderr is the type of outputs of a command line tool, and stands for a File",
    "array": 'an array names the type of its items: write "string[]", or {type: array, items: …} as the type',
    "record": "a record names its fields: write {type: record, fields: …} as the type",
    "enum": "an enum names its symbols: write {type: enum, symbols: […]} as the type",
}
_OTHER_WORDS = {
    "str": "string",
    "text": "string",
    "bool": "boolean",
    "integer": "int",
    "number": "double",
    "any": "Any",
}
_DOCUMENTATION = ("name", "label", "doc")


class TypeProblem(ValueError):
    """A type that cannot be read; the message is for people."""


def parse_type(spec: object) -> Type:
    """Read a type as CWL writes it.

    Raises:
        TypeProblem: It is none, or one that is not served; the message says what to write.
    """
    return _parse(spec, 0)


def _parse(spec: object, depth: int) -> Type:
    if depth > _DEPTH_MAX:
        raise TypeProblem(f"a type has at most {_DEPTH_MAX} levels inside each other")
    if isinstance(spec, str):
        return _parse_word(spec, depth)
    if isinstance(spec, list | tuple) and spec:
        return union(_parse(member, depth + 1) for member in spec)
    if isinstance(spec, Mapping) and "type" in spec:
        return _parse_object(spec, depth)
    raise TypeProblem(f'{shown(spec)} is no type; write one as in "string", "int[]" or "string?"')


def _parse_object(spec: Mapping[str, object], depth: int) -> Type:
    match spec["type"]:
        case "array":
            return Array(_parse(_only(spec, "items"), depth + 1))
        case "enum":
            return _enum(_only(spec, "symbols"))
        case "record":
            return _record(_only(spec, "fields"), depth)
    raise TypeProblem(
        f"{{type: {shown(spec['type'])}}} is no type: write array, enum or record there, or only the name"
    )


def _only(spec: Mapping[str, object], key: str) -> object:
    """Return the one field of an object that has nothing else but documentation."""
    if key not in spec:
        raise TypeProblem(f'a type {{type: {spec["type"]}}} needs "{key}"')
    known = ("type", key, *_DOCUMENTATION)
    for other in spec:
        if other in {"inputBinding", "outputBinding"}:
            raise TypeProblem(
                f'"{other}" inside a type is not read: the agent\'s job type says what runs; leave it out'
            )
        if other not in known:
            raise TypeProblem(f'unknown key "{other}" in a type{nearest(str(other), known)}')
    return spec[key]


@lru_cache(maxsize=1024)
def _parse_word(word: str, depth: int) -> Type:
    if depth > _DEPTH_MAX:
        raise TypeProblem(f"a type has at most {_DEPTH_MAX} levels inside each other")
    if word.endswith("?"):
        return union([NULL, _parse_word(word[:-1], depth + 1)])
    if word.endswith("[]"):
        return Array(_parse_word(word[:-2], depth + 1))
    if word == "Any":
        return ANY
    if word in SCALAR_NAMES:
        return Scalar(word)
    if word in FILE_NAMES:
        return FileType(word)
    raise TypeProblem(_NO_TYPES.get(word) or f"{shown(word)} is no type{_meant(word)}")


def _meant(word: str) -> str:
    if word.lower() in _OTHER_WORDS:
        return f' (did you mean "{_OTHER_WORDS[word.lower()]}"?)'
    return nearest(word, _NAMES) or f"; there are {', '.join(_NAMES)}"


def _enum(symbols: object) -> Type:
    if not isinstance(symbols, list) or not symbols or not all(isinstance(symbol, str) for symbol in symbols):
        raise TypeProblem("the symbols of an enum are a list of strings, one at least")
    if not all(map(is_unicode, symbols)):
        raise TypeProblem("a symbol of an enum holds half a surrogate pair")
    if len(set(symbols)) < len(symbols):
        raise TypeProblem("a symbol of an enum is there twice")
    return Enum(tuple(symbols))


def _record(fields: object, depth: int) -> Type:
    if isinstance(fields, Mapping):
        pairs = [(name, body) for name, body in fields.items()]
    elif isinstance(fields, list | tuple) and all(isinstance(field, Mapping) for field in fields):
        pairs = [(field.get("name"), field) for field in fields]
    else:
        raise TypeProblem("the fields of a record are an object, or a list of objects with name and type")
    read: dict[str, Type] = {}
    for name, body in pairs:
        if not isinstance(name, str) or not name or not is_unicode(name):
            raise TypeProblem("each field of a record needs a name")
        if name in read:
            raise TypeProblem(f'the field "{name}" of a record is there twice')
        read[name] = _field(name, body, depth)
    return Record(tuple(read.items()))


def _field(name: str, body: object, depth: int) -> Type:
    if not isinstance(body, Mapping):
        return _parse(body, depth + 1)
    known = ("type", *_DOCUMENTATION)
    for key in body:
        if key not in known:
            raise TypeProblem(f'unknown key "{key}" in the field "{name}" of a record{nearest(str(key), known)}')
    return _parse(body.get("type"), depth + 1)
