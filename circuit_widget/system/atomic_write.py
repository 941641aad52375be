"""Files written completely or not at all: in a temporary folder beside their destination, then moved there.

Every file that this package writes is written here. The temporary folder is hidden, and also contains whatever else a
library writes. Its name identifies destination, host and process, so that the next save to the same destination removes
the folder of a killed process, and of no other one.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import secrets
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from circuit_widget.characters import shortened
from circuit_widget.errors import CircuitWidgetError
from circuit_widget.system.paths import quoted_path, require_path

PREFIX = ".circuit-widget"
ABANDONED_AFTER = 24 * 3600.0
"""Seconds after which the folder of another host, or of a process whose number is in use again, is a leftover."""

LONGEST_REASON = 160

NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)
"""Errors of file systems that do not support fsync."""

ADVICE = {
    errno.ENOENT: "Choose a folder that exists.",
    errno.ENOTDIR: "Choose a folder that exists: a part of this path is a file.",
    errno.EISDIR: "There is a folder of this name; give the name of a file in it.",
    errno.EACCES: "Choose a folder and a file that you may write to.",
    errno.EPERM: "Choose a folder and a file that you may write to.",
    errno.EROFS: "Choose a folder that can be written to.",
    errno.ENOSPC: "Make room, or choose a folder that has room.",
    errno.EDQUOT: "Make room, or choose a folder that has room.",
    errno.EFBIG: "Choose a folder in which files may be as large.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.ELOOP: "Remove the link, or choose another name.",
    errno.EINVAL: "Choose another name.",
}
OTHER_ADVICE = "Choose a folder that exists, that you may write to, and that has room."

_writing: set[Path] = set()
"""Folders that threads of this process are writing in."""


def write_whole(
    path: str | os.PathLike[str],
    write: Callable[[Path], object],
    what: str,
    error: type[CircuitWidgetError],
) -> Path:
    """Call `write` with a temporary path, move the file it writes there to `path`, and return `path`.

    The file gets the permissions of the file it replaces, else those of the user's umask; links are followed and kept. It
    is on the disk before it replaces anything. After any error or interrupt the old file is unchanged, and nothing is left
    beside it.

    Raises:
        error: the file cannot be written; the text names it as `what`, and states why and what to do.
    """
    file = require_path(path, error)
    try:
        destination, replaced = _destination(file)
        _remove_leftovers(destination)
        _write(destination, replaced, write)
    except CircuitWidgetError:
        raise
    except Exception as problem:
        raise error(f"The {what} cannot be written to {quoted_path(file)}: {reason_of(problem)}") from problem
    return file


def write_bytes(path: str | os.PathLike[str], content: bytes, what: str, error: type[CircuitWidgetError]) -> Path:
    """Write the content of a file, completely or not at all; see `write_whole`."""
    return write_whole(path, lambda file: file.write_bytes(content), what, error)


def check_destination(path: str | os.PathLike[str], what: str, error: type[CircuitWidgetError]) -> Path:
    """Return a path if a file can probably be written to it. Raises `error` otherwise."""
    file = require_path(path, error)
    try:
        destination, _ = _destination(file)
        if not stat.S_ISDIR(destination.parent.stat().st_mode):
            raise _os_error(errno.ENOTDIR)
        if not os.access(destination.parent, os.W_OK | os.X_OK):
            raise _os_error(errno.EACCES)
    except OSError as problem:
        raise error(f"The {what} cannot be written to {quoted_path(file)}: {reason_of(problem)}") from problem
    return file


def _destination(path: Path) -> tuple[Path, os.stat_result | None]:
    """Return the path that links lead to, and the status of the file there, or None if there is none."""
    destination = Path(os.path.realpath(path))
    try:
        found = destination.lstat()
    except FileNotFoundError:
        return destination, None
    if stat.S_ISLNK(found.st_mode):
        raise _os_error(errno.ELOOP)
    if stat.S_ISDIR(found.st_mode):
        raise _os_error(errno.EISDIR)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "It is a device, not a file")
    if not os.access(destination, os.W_OK):
        raise _os_error(errno.EACCES)
    return destination, found


def _write(destination: Path, replaced: os.stat_result | None, write: Callable[[Path], object]) -> None:
    folder = destination.with_name(f"{PREFIX}.{_key(destination)}.{_host()}.{os.getpid()}.{secrets.token_hex(4)}")
    file = folder / "new"
    try:
        _writing.add(folder)
        folder.mkdir(0o700)
        with file.open("xb") as made:
            permissions = stat.S_IMODE(os.fstat(made.fileno()).st_mode)
        write(file)
        _finish(file, permissions, replaced)
        file.replace(destination)
    finally:
        # A second try, for an interrupt that comes while the folder is being removed.
        try:
            _remove(folder)
        except BaseException:
            _remove(folder)
            raise
        finally:
            _writing.discard(folder)


def _finish(file: Path, permissions: int, replaced: os.stat_result | None) -> None:
    """Set the permissions of a file, whatever the library that wrote it chose, and flush it to the disk."""
    if replaced is not None:
        permissions = stat.S_IMODE(replaced.st_mode) & 0o777
        if sys.platform != "win32":
            # Only an administrator may give files away; for others the file is theirs.
            with suppress(OSError):
                os.chown(file, replaced.st_uid, replaced.st_gid)
    with file.open("r+b") as written:
        try:
            os.fsync(written.fileno())
        except OSError as problem:
            if problem.errno not in NO_SYNC:
                raise
    file.chmod(permissions)


def _remove_leftovers(destination: Path) -> None:
    """Remove the folders in which killed processes were writing to this destination."""
    name = re.compile(rf"{re.escape(PREFIX)}\.{_key(destination)}\.([0-9a-f]+)\.([0-9]{{1,10}})\.[0-9a-f]+")
    with suppress(OSError), os.scandir(destination.parent) as entries:
        for entry in entries:
            found = name.fullmatch(entry.name)
            # A link of this name would lead to a folder of someone else.
            if found is not None and entry.is_dir(follow_symlinks=False) and _is_left(entry, found[1], int(found[2])):
                _remove(Path(entry.path))


def _is_left(folder: os.DirEntry[str], host: str, process: int) -> bool:
    """Return whether no process writes in a folder any longer."""
    if Path(folder.path) in _writing:
        return False
    if host == _host() and (process == os.getpid() or not _runs(process)):
        return True
    return time.time() - folder.stat(follow_symlinks=False).st_mtime > ABANDONED_AFTER


def _runs(process: int) -> bool:
    """Return whether a process of this host probably runs; on Windows always True, and only the age of a folder counts."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _remove(folder: Path) -> None:
    """Remove a folder and the files in it; errors are ignored."""
    with suppress(OSError):
        for file in list(folder.iterdir()):
            file.unlink()
        folder.rmdir()


def _key(destination: Path) -> str:
    return hashlib.sha256(os.fsencode(destination.name)).hexdigest()[:12]


def _host() -> str:
    return hashlib.sha256(platform.node().encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def reason_of(problem: Exception) -> str:
    """Return why a file could not be written, and what to do about it, in two sentences."""
    number, text = None, str(problem)
    if isinstance(problem, OSError):
        number, text = problem.errno, problem.strerror or text
    elif found := re.search(r"(?:os error |Os \{ code: )([0-9]{1,5})", text):  # safetensors, from 0.6 and before
        number = int(found[1])
        text = os.strerror(number)
    line = " ".join(text.split()).rstrip(".")
    short = shortened(line, LONGEST_REASON)
    if isinstance(problem, OSError) or number is not None:
        return f"{short}. {ADVICE.get(number or 0, OTHER_ADVICE)}"
    return f"{short}."
