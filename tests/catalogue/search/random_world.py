"""A small random catalogue as records to load and as the dictionaries of `naive`; values collide on purpose."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from pancommons.catalogue.quantities import parameter
from pancommons.catalogue.records import (
    Affiliation,
    Dataset,
    Document,
    File,
    Instrument,
    Member,
    Person,
    Sample,
    Technique,
    Terms,
)

OPEN = datetime(2020, 1, 1, tzinfo=UTC)
LATER = datetime(2100, 1, 1, tzinfo=UTC)
TEXTS = ("a", "ab", "Ab", "b%", "a.b", "_b", "Äb", "b a", "x'y", 'x"y', "\\d", "")
NUMBERS = (0.0, 1.0, 2.0, 12.398419843320026, 1000.0, 0.001, 20.0, 293.15, -3.5)
UNITS = ("eV", "keV", "meV", "nm", "angstrom", "K", "celsius", "fahrenheit", "bar", "", "widget", None)
NAMES = (
    "incident_photon_energy", "incident_neutron_energy", "incident_wavelength", "photon_wavelength", "temperature",
)  # fmt: skip
DATES = ("2020-05-05T15:01:02.341Z", "2020-05-05T15:01:02.342Z", "2021-01-01T00:00:00.000Z")


def make(seed: int) -> tuple[list, list, dict]:
    """Make techniques, records, and the world that `naive` asks."""
    chance = random.Random(seed)
    world: dict[str, list] = {model: [] for model in (
        "Dataset", "Document", "Instrument", "File", "Sample", "Technique", "Parameter", "Member", "Person",
        "Affiliation",
    )}  # fmt: skip
    number = iter(range(10**6))

    def add(model: str, **fields):
        one = {"_id": next(number), **fields}
        world[model].append(one)
        return one

    techniques = []
    for place in range(6):
        parents = sorted({chance.randrange(place) for _ in range(chance.randrange(1, 3))}) if place else []
        pid = f"http://purl.org/pan-science/PaNET/PaNET{place}" if place else "local/technique"
        synonyms = tuple({chance.choice(TEXTS) for _ in range(chance.randrange(3))} - {""})
        name = chance.choice(TEXTS) or "a"
        techniques.append(
            Technique(pid=pid, name=name, synonyms=synonyms, parents=tuple(techniques[p].pid for p in parents))
        )
        one = add("Technique", pid=pid, name=name, panetId=pid if place else None, datasets=[])
        one["_synonyms"] = [text for text in synonyms if text != name]
        above = {place}
        for parent in parents:
            above |= world["Technique"][parent]["_numbers"]
        one["_numbers"] = above
    for one in world["Technique"]:
        one["_above"] = [world["Technique"][at] for at in one["_numbers"]]

    records = []
    for place in range(3):
        name, facility = chance.choice(TEXTS), chance.choice(TEXTS)
        records.append(Instrument(pid=f"i{place}", name=name, facility=facility, terms=_terms(True)))
        add("Instrument", pid=f"i{place}", name=name, facility=facility, datasets=[])
    for place in range(3):
        name, description = chance.choice(TEXTS), chance.choice([None, *TEXTS])
        records.append(Sample(pid=f"s{place}", name=name, description=description, terms=_terms(True)))
        add("Sample", pid=f"s{place}", name=name, description=description, datasets=[])

    people = [
        add("Person", id=f"p{n}", fullName=chance.choice(TEXTS), orcid=chance.choice([None, "a"]), members=[])
        for n in range(3)
    ]
    places = [
        add("Affiliation", id=f"a{n}", name=chance.choice([None, *TEXTS]), city=chance.choice(TEXTS), members=[])
        for n in range(2)
    ]

    records += [_document(chance, place, people, places, add) for place in range(5)]
    records += [_dataset(chance, place, world, add) for place in range(12)]
    return techniques, records, world


def _terms(public: bool) -> Terms:
    return Terms(open_from=OPEN if public else LATER, discoverable_from=OPEN, fixed=True)


def _parameters(chance, add, parent, model):
    made = []
    for _ in range(chance.randrange(4)):
        name, unit = chance.choice(NAMES), chance.choice(UNITS)
        value = chance.choice(NUMBERS) if chance.random() < 0.8 else chance.choice(("Cu", "20", "a"))
        one = add("Parameter", name=name, value=value, unit=unit, dataset=[], document=[])
        one[model.lower()] = [parent]
        parent["parameters"].append(one)
        made.append(parameter(name, value, unit))
    return tuple(made)


def _document(chance, place, people, places, add):
    public = chance.random() < 0.7
    fields = {
        "title": chance.choice(TEXTS),
        "summary": chance.choice([None, *TEXTS]),
        "doi": chance.choice([None, f"10.5072/{place}"]),
        "license": chance.choice([None, "CC0-1.0"]),
    }
    dates = {"start_date": chance.choice([None, *DATES]), "release_date": chance.choice([None, *DATES])}
    keywords = list(dict.fromkeys(chance.choices(TEXTS[:-1], k=chance.randrange(3))))
    one = add(
        "Document", pid=f"d{place}", type="publication", isPublic=public, keywords=keywords,
        startDate=dates["start_date"], releaseDate=dates["release_date"], datasets=[], members=[],
        parameters=[], **fields,
    )  # fmt: skip
    members = []
    for _ in range(chance.randrange(3)):
        who, where = chance.choice([None, *people]), chance.choice([None, *places])
        role = chance.choice([None, *TEXTS])
        member = add(
            "Member", role=role, document=[one], person=[who] if who else [], affiliation=[where] if where else []
        )
        one["members"].append(member)
        for other in (who, where):
            if other:
                other["members"].append(member)
        members.append(
            Member(
                person=Person(pid=who["id"], full_name=who["fullName"], orcid=who["orcid"]) if who else None,
                affiliation=Affiliation(pid=where["id"], name=where["name"], city=where["city"]) if where else None,
                role=role,
                public=True,
            )
        )
    return Document(
        pid=f"d{place}",
        type="publication",
        keywords=tuple(keywords),
        members=tuple(members),
        parameters=_parameters(chance, add, one, "Document"),
        terms=_terms(public),
        **fields,
        **{name: value and datetime.fromisoformat(value) for name, value in dates.items()},
    )


def _dataset(chance, place, world, add):
    public = chance.random() < 0.7
    title, size, date = chance.choice(TEXTS), chance.choice([None, 0, 1000, 5]), chance.choice(DATES)
    documents = chance.sample(world["Document"], chance.randrange(3))
    techniques = chance.sample(world["Technique"], chance.randrange(3))
    samples = chance.sample(world["Sample"], chance.randrange(3))
    instrument = chance.choice([None, *world["Instrument"]])
    one = add(
        "Dataset", pid=f"x{place}", title=title, isPublic=public, creationDate=date, size=size, documents=documents,
        document=documents, techniques=techniques, samples=samples, instrument=[instrument] if instrument else [],
        files=[], parameters=[],
    )  # fmt: skip
    for other in (*documents, *techniques, *samples, *one["instrument"]):
        other["datasets"].append(one)
    files = []
    for number in range(chance.randrange(3)):
        name, file_size = f"{chance.choice(TEXTS)}{number}", chance.choice([None, 0, 1000])
        files.append(File(root="r", path=f"{place}/{name}", size=file_size))
        if public:  # files are data: they are not even listed before the dataset is open
            file = add("File", name=name, path=f"{place}/{name}", size=file_size, dataset=[one])
            one["files"].append(file)
    return Dataset(
        pid=f"x{place}",
        kind="raw",
        title=title,
        size=size,
        creation_date=datetime.fromisoformat(date) + timedelta(microseconds=chance.randrange(900)),
        documents=tuple(other["pid"] for other in documents),
        techniques=tuple(other["pid"] for other in techniques),
        samples=tuple(other["pid"] for other in samples),
        instrument=instrument["pid"] if instrument else None,
        parameters=_parameters(chance, add, one, "Dataset"),
        files=tuple(files),
        terms=_terms(public),
    )
