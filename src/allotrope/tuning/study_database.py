"""Where a study is kept: a file of the run's folder, or a database by its URL."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

from allotrope.errors import MissingDependencyError, StudyError, UsageError

Result = TypeVar("Result")
WAITS = (0.2, 1.0, 3.0, 10.0)
"""Seconds before a database that does not answer is asked again, as while it is started anew."""
TIMEOUT = 60
"""Seconds that one process waits for another that writes a SQLite file."""
JOURNAL = ".log"
"""The end of a journal file's name, which takes no locks of a database."""


def check_installed() -> None:
    """Raises: MissingDependencyError with the command that installs what is missing."""
    if importlib.util.find_spec("optuna") is None:
        raise MissingDependencyError(
            "optuna is not installed, with which tune searches. Install it with: "
            "pip install 'allotrope[tune]'"
        )


def check_url(url: Any) -> Any:
    """The URL as it is. Raises: UsageError if it names no database."""
    if re.match(r"^[a-z][a-z0-9+]*://.+|^.+\.log$", str(url)) is None:
        raise UsageError(
            f"'{url}' is no database: expected a URL such as sqlite:///study.db or "
            "postgresql://user@host/database, or a journal file such as study.log."
        )
    return url


def check_name(name: str) -> str:
    """The study's name as it is. Raises: UsageError for none."""
    if not name.strip():
        raise UsageError("the study's name is empty. Leave out --study, or give it a name.")
    return name


def without_password(url: str) -> str:
    """The URL as it may be shown and recorded."""
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", url)


class StudyDatabase:
    """One database, asked again for a while if it does not answer.

    `remedy` is what a user does about it then.
    """

    def __init__(self, url: str, remedy: str = "", waits: tuple[float, ...] = WAITS) -> None:
        """Nothing is opened yet."""
        self.url, self.remedy, self._waits = url, remedy, waits
        self._storage: Any = None

    @property
    def storage(self) -> Any:
        """Optuna's storage, opened. Raises: what its driver does."""
        if self._storage is None:
            self._storage = _opened(self.url)
        return self._storage

    def asked(self, ask: Callable[[], Result]) -> Result:
        """What `ask` gives; it is called again if the database does not answer.

        Raises: StudyError if it does not for long; MissingDependencyError for a driver.
        """
        for wait in (*self._waits, None):
            try:
                return ask()
            except ImportError as error:
                raise MissingDependencyError(_missing_driver(self.url, error)) from error
            except Exception as error:
                # What is no fault of a database is one of ours, and goes on as it is.
                reason = _why_not(error)
                if reason is None:
                    raise
                if wait is None or not _may_come_back(error):
                    raise StudyError(self._gone(reason)) from error
            time.sleep(wait)
            self._forget_connection()
        raise AssertionError

    def _forget_connection(self) -> None:
        """A session whose server went away asks for a rollback for ever: it is begun anew."""
        from sqlalchemy.exc import SQLAlchemyError

        remove = getattr(self._storage, "remove_session", None)
        if remove is not None:
            # What is to be closed may be closed already.
            with contextlib.suppress(SQLAlchemyError):
                remove()
            self._storage.engine.dispose()

    def _gone(self, reason: str) -> str:
        shown = without_password(self.url)
        return f"the study's database {shown} cannot be used: {reason}. {self.remedy}".strip()


def _opened(url: str) -> Any:
    import optuna
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    # Each trial has a line of its own here; Optuna would write another one.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if url.endswith(JOURNAL) and "://" not in url:
        return JournalStorage(JournalFileBackend(url))
    # A connection that died while a trial was trained is replaced, and nobody notices.
    options: dict[str, Any] = {"pool_pre_ping": True}
    if url.startswith("sqlite"):
        options["connect_args"] = {"timeout": TIMEOUT}
    return RDBStorage(url, engine_kwargs=options)


def _why_not(error: Exception) -> str | None:
    """What a database or its file says against being used, in a line; None for other errors."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    if isinstance(error, StorageInternalError):
        error = error.__cause__ if isinstance(error.__cause__, Exception) else error
    elif not isinstance(error, (SQLAlchemyError, OSError)) and not _is_of_version(error):
        return None
    first = str(getattr(error, "orig", None) or error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {first[0]}".rstrip(". :")


def _may_come_back(error: Exception) -> bool:
    """Whether to ask again is of use: a server comes back, a broken file does not.

    A row or a table that another process made first is no error either: it is there next time.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import (
        IntegrityError,
        InterfaceError,
        OperationalError,
        PendingRollbackError,
        ProgrammingError,
    )

    if isinstance(error, StorageInternalError) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    if "unable to open database file" in str(error):
        return False
    if isinstance(error, ProgrammingError):
        return "already exists" in str(error)
    passing = (IntegrityError, InterfaceError, OperationalError, PendingRollbackError, OSError)
    return isinstance(error, passing)


def _is_of_version(error: Exception) -> bool:
    """Optuna's word for tables that another version of it has made."""
    return isinstance(error, RuntimeError) and "compatible with the table schema" in str(error)


def _missing_driver(url: str, error: ImportError) -> str:
    names = {"postgresql": "'psycopg[binary]'", "mysql": "PyMySQL"}
    kind = url.partition(":")[0].partition("+")[0]
    reason = str(error.__cause__ or error).strip()
    install = f" Install one with: pip install {names[kind]}" if kind in names else ""
    return f"the driver of {without_password(url)} is missing ({reason}).{install}"
