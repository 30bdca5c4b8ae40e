"""The six verbs: from a request to the XML of its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from lxml import etree
from sqlalchemy.engine import Connection

from pancommons.catalogue.formats import datacite, dublincore, openaire, xml
from pancommons.catalogue.formats.description import Description, Site
from pancommons.catalogue.oai import harvest, sets
from pancommons.catalogue.oai.request import ARGUMENTS, OaiError, Request, understand

NAMESPACE = "http://www.openarchives.org/OAI/2.0/"
SCHEMA = "http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd"
PAGE = 100
"""Items of a list in one answer."""


@dataclass(frozen=True)
class Format:
    """A metadata format: its schema, namespace, and what writes it."""

    schema: str
    namespace: str
    write: Callable[[Description], etree._Element]


FORMATS: Mapping[str, Format] = {
    "oai_dc": Format(dublincore.SCHEMA, dublincore.NAMESPACE, dublincore.oai_dc),
    "oai_datacite": Format(
        "http://schema.datacite.org/oai/oai-1.1/oai.xsd",
        "http://schema.datacite.org/oai/oai-1.1/",
        datacite.oai_datacite,
    ),
    "oai_openaire": Format(openaire.SCHEMA, openaire.NAMESPACE, openaire.oai_openaire),
}


@dataclass(frozen=True)
class Answer:
    """The bytes of an answer."""

    body: bytes
    media_type: str = "text/xml; charset=utf-8"


def answer(connection: Connection, arguments: Sequence[tuple[str, str]], site: Site, url: str, at: datetime) -> Answer:
    """Answer a request.

    Parameters
    ----------
    connection
        Reading from one state of the database.
    arguments
        Names and values as they came.
    site
        Who publishes.
    url
        The address of this provider, without arguments.
    at
        Now.
    """
    root = xml.root(NAMESPACE, "OAI-PMH", None, SCHEMA)
    _add(root, "responseDate", xml.stamp(at))
    try:
        request = understand(arguments)
        told = _Verbs(connection, site, url, at).say(request)
    except OaiError as error:
        known = dict(arguments) if error.code not in {"badVerb", "badArgument"} else {}
        _add(root, "request", url, **known)
        _add(root, "error", str(error), code=error.code)
    else:
        _add(root, "request", url, **dict(arguments))
        root.append(told)
    return Answer(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


class _Verbs:
    """The answers to one request."""

    def __init__(self, connection: Connection, site: Site, url: str, at: datetime) -> None:
        self.connection, self.site, self.url, self.at = connection, site, url, at
        self.prefix = f"oai:{urlsplit(site.url).hostname or 'localhost'}:"

    def say(self, request: Request) -> etree._Element:
        verbs: dict[str, Callable[[etree._Element, Request], None]] = {
            "Identify": self._identify,
            "ListMetadataFormats": self._formats,
            "ListSets": self._sets,
            "GetRecord": self._record,
            "ListIdentifiers": self._list,
            "ListRecords": self._list,
        }
        assert verbs.keys() == ARGUMENTS.keys()  # noqa: S101
        element = etree.Element(f"{{{NAMESPACE}}}{request.verb}")
        verbs[request.verb](element, request)
        return element

    def _identify(self, element: etree._Element, request: Request) -> None:
        _add(element, "repositoryName", f"Data of {self.site.publisher}")
        _add(element, "baseURL", self.url)
        _add(element, "protocolVersion", "2.0")
        _add(element, "adminEmail", self.site.email)
        _add(element, "earliestDatestamp", xml.stamp(harvest.earliest(self.connection, self.at)))
        _add(element, "deletedRecord", "persistent")
        _add(element, "granularity", "YYYY-MM-DDThh:mm:ssZ")
        space = "http://www.openarchives.org/OAI/2.0/oai-identifier"
        told = xml.root(space, "oai-identifier", None, f"{space}.xsd")
        for name, text in (
            ("scheme", "oai"),
            ("repositoryIdentifier", self.prefix[4:-1]),
            ("delimiter", ":"),
            ("sampleIdentifier", f"{self.prefix}01jd2x9q5v8k3m7n0r0"),
        ):
            xml.add(told, f"{{{space}}}{name}", text)
        _add(element, "description").append(told)

    def _formats(self, element: etree._Element, request: Request) -> None:
        if request.identifier is not None:
            self._header(request.identifier)
        for name, form in FORMATS.items():
            told = _add(element, "metadataFormat")
            _add(told, "metadataPrefix", name)
            _add(told, "schema", form.schema)
            _add(told, "metadataNamespace", form.namespace)

    def _sets(self, element: etree._Element, request: Request) -> None:
        if request.resumed:
            raise OaiError("badResumptionToken", "the list of sets is given in one piece")
        for spec, name in sets.list_sets(self.connection, self.at):
            told = _add(element, "set")
            _add(told, "setSpec", spec)
            _add(told, "setName", name)

    def _record(self, element: etree._Element, request: Request) -> None:
        form = _format(request)
        assert request.identifier is not None  # noqa: S101 - it is needed
        self._add_records(element, [self._header(request.identifier)], form)

    def _list(self, element: etree._Element, request: Request) -> None:
        form = _format(request)
        within = None
        if request.spec is not None:
            within = sets.belongs(self.connection, request.spec)
            if within is None:
                raise OaiError("noRecordsMatch", f"there is no set {request.spec}")
        found = harvest.headers(
            self.connection, self.at, after=request.after, start=request.start, stop=request.stop, within=within,
            limit=PAGE + 1,
        )  # fmt: skip
        if not found and not request.resumed:
            raise OaiError("noRecordsMatch", "nothing has changed there")
        page = found[:PAGE]
        if request.verb == "ListRecords":
            self._add_records(element, page, form)
        else:
            for header in page:
                self._add_header(element, header)
        more = len(found) > PAGE
        if more or request.resumed:
            # Counted once, when the list begins: every page would read the whole of it again.
            size = request.size or harvest.count(self.connection, self.at, request.start, request.stop, within)
            token = request.continued(page[-1].place, len(page), size) if more else ""
            _add(
                element, "resumptionToken", token, completeListSize=str(max(size, request.given + len(page))),
                cursor=str(request.given),
            )  # fmt: skip

    def _header(self, identifier: str) -> harvest.Header:
        own = identifier.removeprefix(self.prefix) if identifier.startswith(self.prefix) else ""
        found = harvest.headers(self.connection, self.at, only=own, limit=1) if own else []
        if not found:
            raise OaiError("idDoesNotExist", f"there is no record {identifier[:100]}")
        return found[0]

    def _add_records(self, element: etree._Element, page: Sequence[harvest.Header], form: Format) -> None:
        there = [header.identifier for header in page if not header.deleted]
        told = harvest.describe_datasets(self.connection, there, self.site, self.at)
        for header in page:
            record = _add(element, "record")
            self._add_header(record, header)
            if header.identifier in told:
                _add(record, "metadata").append(form.write(told[header.identifier]))

    def _add_header(self, element: etree._Element, header: harvest.Header) -> None:
        told = _add(element, "header", **({"status": "deleted"} if header.deleted else {}))
        _add(told, "identifier", self.prefix + header.identifier)
        _add(told, "datestamp", xml.stamp(header.stamp))
        for spec in sets.specs(header.facility, header.instrument, header.techniques):
            _add(told, "setSpec", spec)


def _format(request: Request) -> Format:
    if request.prefix not in FORMATS:
        if request.resumed:
            raise OaiError("badResumptionToken", "this is no token of ours")
        raise OaiError("cannotDisseminateFormat", f"the formats are {', '.join(FORMATS)}")
    return FORMATS[request.prefix]


def _add(parent: etree._Element, local: str, text: str | None = None, **attributes: str) -> etree._Element:
    return xml.add(parent, f"{{{NAMESPACE}}}{local}", text, **attributes)
