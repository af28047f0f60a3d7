"""What is said of one key of a configuration file."""

from dataclasses import dataclass

from caroni_edge.config.kinds import Kind


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a configuration file.

    Attributes:
        name: Dotted; a part in capitals stands for any name (see `NAMES`).
        kind: What values it takes.
        doc: What it means, in a sentence.
        default: As it could stand in the file; None where there is none.
        otherwise: What holds without it, where that is no fixed value.
        required: It must be given.
        example: What could be given.
        gives: The key beside it whose value is in the file that this one names.
        at_start: It is looked at when the node starts; SIGHUP does not change it.
    """

    name: str
    kind: Kind
    doc: str
    default: str | int | None = None
    otherwise: str = ""
    required: bool = False
    example: str = ""
    gives: str = ""
    at_start: bool = False
