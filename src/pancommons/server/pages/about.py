"""``/about``: what this portal is and how it is; ``/about/policy``: what its data policy says, in words."""

from __future__ import annotations

from importlib.metadata import version

import sqlalchemy as sa
from fastapi import Response

from pancommons.catalogue.ledger import policies
from pancommons.catalogue.policy import Policy, policy_of, read_policy
from pancommons.pipelines import registry
from pancommons.server.pages.frame import Paged, router
from pancommons.server.services import STATEMENT_SECONDS, Now, Shared
from pancommons.store.migrate import version as schema_version

pages = router()


@pages.get("/about")
def about(page: Paged, shared: Shared, at: Now) -> Response:
    """Say which version this is, how it does, and which pipelines are installed."""
    well = True
    try:
        with shared.database.read(2) as connection:
            connection.execute(sa.text("SELECT 1"))
    except Exception:  # whatever it is, the answer is that the database is not well
        well = False
    return page.render(
        "about/page.html",
        version=version("pancommons"),
        database=shared.database.dialect,
        schema=schema_version(shared.database) if well else None,
        well=well,
        up=(at - shared.started).total_seconds(),
        started=shared.started,
        pipelines=[registry.load(name) for name in registry.names()],
        prefix=shared.settings.server.search_prefix,
        facilities=[provider.name for provider in shared.settings.providers],
    )


@pages.get("/about/policy")
def policy(page: Paged, shared: Shared) -> Response:
    """Say what every version of the policy that data are kept under says; the newest first."""
    with shared.database.read(STATEMENT_SECONDS) as connection:
        rows = connection.execute(sa.select(policies).order_by(policies.c.adopted_at.desc(), policies.c.version)).all()
        adopted: list[tuple[Policy, object]] = [(policy_of(connection, row.version), row.adopted_at) for row in rows]
    return page.render("about/policy.html", policies=adopted or [(read_policy(), None)])
