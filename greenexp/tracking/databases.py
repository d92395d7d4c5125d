"""Databases at a server, such as PostgreSQL, to which MLflow is written without an `mlflow server` between."""

from __future__ import annotations

from importlib.util import find_spec

from greenexp.errors import TrackingError

TIMEOUT_S = 10
"""For a connection. MLflow by itself would try for minutes."""
POSTGRESQL = {"postgresql": "psycopg", "postgresql+psycopg": "psycopg", "postgresql+psycopg2": "psycopg2"}
"""Schemes of PostgreSQL's addresses -> the driver they need."""
_WITH_TIMEOUT = ("postgresql", "mysql")


def is_database_server(uri: str) -> bool:
    """Whether `uri` is a database, and no file."""
    return not uri.startswith(("http", "sqlite"))


def with_driver(uri: str) -> str:
    """`uri` with the driver of PostgreSQL that is installed, where it names none: SQLAlchemy's default differs.

    Raises TrackingError if there is no driver, with what to install.
    """
    scheme, _, rest = uri.partition("://")
    if scheme not in POSTGRESQL:
        return uri
    chosen = scheme
    if scheme == "postgresql":
        chosen = next((name for name in list(POSTGRESQL)[1:] if find_spec(POSTGRESQL[name])), "postgresql+psycopg")
    driver = POSTGRESQL[chosen]
    if find_spec(driver) is None:
        raise TrackingError(f"PostgreSQL needs {driver}, which is not installed: pip install 'greenexp[postgresql]'")
    return f"{chosen}://{rest}"


def reach(uri: str) -> None:
    """Connect once, and raise what that raises: within seconds, where MLflow would wait and try again."""
    if not uri.startswith(_WITH_TIMEOUT):
        return
    import sqlalchemy

    engine = sqlalchemy.create_engine(
        uri, poolclass=sqlalchemy.pool.NullPool, connect_args={"connect_timeout": TIMEOUT_S}
    )
    try:
        engine.connect().close()
    finally:
        engine.dispose()
