"""The models of the PaNOSC search API: their fields and their relations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """What a field holds."""

    TEXT = "text"
    NUMBER = "number"
    INSTANT = "date"
    TRUTH = "truth value"
    TEXTS = "list of texts"
    VALUE = "number or text"
    SCORE = "score"


@dataclass(frozen=True, eq=False)
class Relation:
    """A relation of a model: its name, the model it leads to, and whether to many of them."""

    name: str
    model: str
    many: bool = True


@dataclass(frozen=True, eq=False)
class Model:
    """A model.

    Attributes
    ----------
    searched
        The fields that ``text`` looks into.
    key
        The field that identifies a record.
    """

    name: str
    fields: Mapping[str, Kind]
    relations: Mapping[str, Relation] = field(default_factory=lambda: MappingProxyType({}))
    searched: tuple[str, ...] = ()
    key: str = "pid"


def _model(
    name: str, fields: Mapping[str, str], *relations: Relation, searched: tuple[str, ...] = (), key: str = "pid"
) -> Model:
    kinds = {one: Kind(kind) for kind, names in fields.items() for one in names.split()}
    return Model(name, MappingProxyType(kinds), MappingProxyType({r.name: r for r in relations}), searched, key)


_DATASETS = Relation("datasets", "Dataset")

DATASET = _model(
    "Dataset",
    {"text": "pid title", "truth value": "isPublic", "date": "creationDate", "number": "size", "score": "score"},
    Relation("documents", "Document"),
    Relation("document", "Document", many=False),
    Relation("techniques", "Technique"),
    Relation("instrument", "Instrument", many=False),
    Relation("files", "File"),
    Relation("parameters", "Parameter"),
    Relation("samples", "Sample"),
    searched=("title",),
)
DOCUMENT = _model(
    "Document",
    {
        "text": "pid type title summary doi license",
        "truth value": "isPublic",
        "date": "startDate endDate releaseDate",
        "list of texts": "keywords",
        "score": "score",
    },
    _DATASETS,
    Relation("members", "Member"),
    Relation("parameters", "Parameter"),
    searched=("title", "summary"),
)
INSTRUMENT = _model(
    "Instrument", {"text": "pid name facility", "score": "score"}, _DATASETS, searched=("name", "facility")
)
FILE = _model(
    "File",
    {"text": "id name path", "number": "size"},
    Relation("dataset", "Dataset", many=False),
    searched=("name",),
    key="id",
)
SAMPLE = _model("Sample", {"text": "pid name description"}, _DATASETS, searched=("name", "description"))
TECHNIQUE = _model("Technique", {"text": "pid name panetId"}, _DATASETS, searched=("name",))
PARAMETER = _model(
    "Parameter",
    {"text": "id name unit", "number or text": "value"},
    Relation("dataset", "Dataset", many=False),
    Relation("document", "Document", many=False),
    key="id",
)
MEMBER = _model(
    "Member",
    {"text": "id role"},
    Relation("document", "Document", many=False),
    Relation("person", "Person", many=False),
    Relation("affiliation", "Affiliation", many=False),
    key="id",
)
PERSON = _model(
    "Person", {"text": "id fullName orcid researcherId firstName lastName"}, Relation("members", "Member"), key="id"
)
AFFILIATION = _model("Affiliation", {"text": "id name address city country"}, Relation("members", "Member"), key="id")

MODELS: Mapping[str, Model] = MappingProxyType(
    {
        model.name: model
        for model in (
            DATASET, DOCUMENT, INSTRUMENT, FILE, SAMPLE, TECHNIQUE, PARAMETER, MEMBER, PERSON, AFFILIATION
        )
    }
)  # fmt: skip


def model(name: str) -> Model:
    """Return a model by its name, singular or plural, in any case; KeyError where there is none."""
    wanted = name.lower()
    for one in MODELS.values():
        if wanted in (one.name.lower(), one.name.lower() + "s"):
            return one
    raise KeyError(name)
