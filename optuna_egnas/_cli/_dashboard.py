"""`egnas dashboard`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

from .._core.commands import HOST, PORT, STORAGE, STORED_ARTIFACTS
from ..errors import EgnasError, SearchError
from ._arguments import Storage
from ._declared import typed
from ._output import errors, quiet_optuna

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


def dashboard(
    storage: Storage = STORAGE.default,
    host: Annotated[str, typed(HOST)] = HOST.default,
    port: Annotated[int, typed(PORT)] = PORT.default,
    artifacts: Annotated[str | None, typed(STORED_ARTIFACTS)] = STORED_ARTIFACTS.default,
) -> None:
    """Serve optuna-dashboard, with the notes and plots of every search; Ctrl-C ends it."""
    from .._storage.opening import open_storage
    from .._storage.urls import full_url
    from . import _show_search as _show

    try:
        from optuna_dashboard import wsgi
    except ImportError:
        raise SearchError(
            "optuna-dashboard is missing: pip install 'optuna-egnas[dashboard]'."
        ) from None
    PORT.check(port)
    quiet_optuna()
    with _show.storage_trouble(storage):
        # Opened once and cached: a URL would be opened anew for each request.
        opened = open_storage(storage, create=False)
        place = _renew(opened, full_url(storage), artifacts)
    app = wsgi(opened, artifact_store=_store(place))
    _serve(app, host, port)


def _renew(opened: BaseStorage, url: str, artifacts: str | None) -> str | None:
    """Bring the notes of all searches up to date; returns where their files are."""
    from .._search.catalogue import summaries
    from .._search.run import dashboard_writer
    from .._search.studies import load_linked_studies
    from .._storage.link import read_places

    for summary in summaries(opened):
        # One that is half deleted, say: the others can still be looked at.
        with suppress(EgnasError):
            studies = load_linked_studies(storage=opened, name=summary.name)
            dashboard_writer(studies, url).update(last=True)
            artifacts = artifacts or read_places(studies.first).get("artifacts")
    return artifacts


def _store(place: str | None) -> object | None:
    from optuna.artifacts import FileSystemArtifactStore

    if place is None or "://" in place:
        return None
    return FileSystemArtifactStore(place)


def _serve(app: Any, host: str, port: int) -> None:
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    class Quiet(WSGIRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing of each request."""

    try:
        server = make_server(host, port, app, server_class=Server, handler_class=Quiet)
    except OSError as error:
        raise SearchError(f"Cannot serve on {host}:{port}: {error}.") from None
    with server:
        errors.print(f"http://{host}:{server.server_port}/dashboard/ (Ctrl-C ends it)")
        server.serve_forever()
