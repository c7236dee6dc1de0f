"""Download a standard set and unpack it where `load` looks for it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from xmlwb.atomic import atomic_path

from .cache import cache_dir
from .readers.folders import LAYOUTS_WANTED, recognised_below
from .registry import REPOSITORY_HOME, SetInfo, Source, set_info
from .resuming import DriveDownloader, FetchError, ResumingDownloader

__all__ = ["FetchError", "fetch", "fetch_source", "fetched_dir", "remembered_hash", "unpack"]


def fetched_dir(info: SetInfo) -> Path:
    """Where `fetch` puts a set's files: a folder named after its key under the cache folder."""
    return cache_dir() / "datasets" / info.key


def fetch(name: str, *, progress: bool = True, force: bool = False) -> Path:
    """Download a standard set, unpack it and return its folder, from which `load(name)` reads it.

    The sources of the registry are tried in their order; none of them publishes a checksum, so the SHA-256 of what
    first came is remembered, and another file under the same name is refused from then on.

    Parameters
    ----------
    name : key or title of a set in `registry.STANDARD`.
    progress : show a progress bar.
    force : download and unpack again although the folder is there.

    Raises
    ------
    ValueError
        Unknown name.
    FetchError
        No source could be used; the message holds the reason of each, and where to look by hand. Also: the folder
        holds other files (`force` replaces them), or another process fetches the set.
    """
    info = set_info(name)
    folder = fetched_dir(info)
    if not force and _is_there(folder):
        return folder
    reasons = []
    with _alone(folder):
        if not force and _is_there(folder):  # another process was faster
            return folder
        for source in info.sources:
            try:
                return fetch_source(source, folder, progress=progress, force=force)
            except FetchError as problem:
                reasons.append(str(problem))
    listed = "".join(f"\n  {reason}" for reason in reasons) or "\n  no source is known"
    raise FetchError(
        f"{info.title} could not be fetched:{listed}\nGet its files by hand from {REPOSITORY_HOME} into a folder "
        f"{info.folders[0]} and name the folder above it with root= or the variable XMLWB_DATA."
    )


def fetch_source(source: Source, folder: Path, *, progress: bool = True, force: bool = False) -> Path:
    """Download one source's archive (kept in `downloads` beside `folder`) and unpack it into `folder`.

    Raises
    ------
    FetchError
        Download failed; a web page or something else that is no archive came; an archive that is cut short, or has
        another SHA-256 than the first download had, or holds names that lead out of the folder, or no layout that
        `read_folder` knows. A refused archive is deleted and its hash is not remembered.
    """
    downloads = folder.parent / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    archive = downloads / source.archive
    if force:
        archive.unlink(missing_ok=True)
    _download(source, archive, progress)
    check_archive(archive)
    try:
        unpack(archive, folder, known_layout=True)
    except FetchError:
        archive.unlink()
        raise
    _remember(archive, source)  # last, so that a refused archive never shuts out a good one
    return folder


def _is_there(folder: Path) -> bool:
    """Whether the set lies in `folder`; FetchError where something else does, which must not be deleted unasked."""
    if recognised_below(folder):
        return True
    held = _some_files(folder)
    if held:
        raise FetchError(
            f"{folder} holds {held} in no known layout. Move what you need of it elsewhere and fetch "
            "with force (--force), which replaces the folder."
        )
    return False


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from fetching into `folder` at the same time, by a file beside it."""
    mark = folder.with_name(f"{folder.name}.fetching")
    mark.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(mark, "x", encoding="utf-8") as out:
            out.write(f"process {os.getpid()} on {platform.node()}\n")
    except FileExistsError:
        raise FetchError(
            f"another process fetches this set: wait until it is done. If none does (it was killed), delete {mark}"
        ) from None
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)


def _some_files(folder: Path) -> str:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")


def remembered_hash(archive: Path) -> str | None:
    """The SHA-256 of the first download of this archive; None before the first."""
    try:
        lock = json.loads(_lock(archive).read_text(encoding="utf-8"))
        return str(lock["sha256"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as problem:
        raise FetchError(
            f"{_lock(archive)}: {problem}; wanted the hash of the first download (delete the file to forget it)"
        ) from None


def _download(source: Source, archive: Path, progress: bool) -> None:
    import pooch

    known = remembered_hash(archive)
    part = archive.with_name(archive.name + ".part")
    downloader = (ResumingDownloader if source.kind == "url" else DriveDownloader)(part, progress)
    pooch.get_logger().setLevel("WARNING")  # the bar says enough
    try:
        # pooch moves the file into place when it is complete and, with a known hash, only if it has that hash.
        pooch.retrieve(
            source.address,
            known,
            fname=archive.name,
            path=archive.parent,
            downloader=downloader,  # type: ignore[arg-type]
        )
    except FetchError:
        raise
    except ValueError as problem:  # pooch's word for another hash; it names both
        raise FetchError(
            f"{problem} If the set's owners did replace the file, delete {_lock(archive)} and fetch again."
        ) from None
    except OSError as problem:  # requests' errors are among them
        raise FetchError(f"{source.address}: {type(problem).__name__}: {problem}") from problem


def check_archive(archive: Path) -> None:
    """Read an archive through. Raises FetchError, and removes the file, if it is none or is damaged."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                damaged = opened.testzip()
            if damaged is not None:
                raise zipfile.BadZipFile(f"{damaged} fails its checksum")
        else:
            with tarfile.open(archive) as tar:
                for member in tar:  # reads, and so checks, everything up to the end
                    if member.isfile():
                        stream = tar.extractfile(member)
                        while stream is not None and stream.read(1 << 20):
                            pass
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, zlib.error) as problem:
        with open(archive, "rb") as stream_:
            start = stream_.read(16)
        size = archive.stat().st_size
        archive.unlink()
        raise FetchError(
            f"{archive.name}: {size:,} bytes that begin with {start!r} and are no whole archive ({problem}), wanted a "
            "complete zip or tar file"
        ) from None


def unpack(archive: Path, folder: Path, *, known_layout: bool = False) -> None:
    """Unpack a zip or tar file into `folder`, whole or not at all; what was in the folder before is replaced.

    Raises
    ------
    FetchError
        A member whose name leads out of the folder, a link or a device; an empty archive; with `known_layout`, one
        whose file names are those of no layout that `read_folder` knows. Nothing is left of the attempt.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.unpacking."))
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                for info in opened.infolist():
                    is_link = stat.S_ISLNK(info.external_attr >> 16)
                    _refuse_strange(archive, info.filename, "a link" if is_link else None)
                opened.extractall(partial)
        else:
            with tarfile.open(archive) as tar:
                for member in tar.getmembers():
                    plain = member.isfile() or member.isdir()
                    _refuse_strange(archive, member.name, None if plain else "no plain file")
                if hasattr(tarfile, "data_filter"):  # from Python 3.11.4 on: also strips odd permissions
                    tar.extraction_filter = tarfile.data_filter
                tar.extractall(partial)
        if not any(partial.iterdir()):
            raise FetchError(f"{archive.name}: an empty archive, wanted the files of a data set")
        if known_layout and not recognised_below(partial):
            raise FetchError(
                f"{archive.name}: no known layout among its files {_some_files(partial)}, wanted "
                + " or ".join(LAYOUTS_WANTED)
            )
        partial.chmod(0o755)  # mkdtemp makes it private
        _replace_folder(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _refuse_strange(archive: Path, name: str, kind: str | None) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in (path.parts or ("",))[0]:
        kind = "a path that leads out of the folder"
    if kind is not None:
        raise FetchError(f"{archive.name}: member {name!r} is {kind}, wanted plain files only; nothing was unpacked")


def _replace_folder(new: Path, folder: Path) -> None:
    """Put `new` in the place of `folder`; if that fails, what was there before is back."""
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.old."))
    old = aside / folder.name
    try:
        if folder.exists():
            os.replace(folder, old)
        os.replace(new, folder)
    except BaseException:
        if old.exists():
            os.replace(old, folder)
        aside.rmdir()
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _lock(archive: Path) -> Path:
    return archive.with_name(archive.name + ".lock.json")


def _remember(archive: Path, source: Source) -> None:
    if remembered_hash(archive) is not None:
        return
    import pooch

    facts = {
        "sha256": pooch.file_hash(str(archive)),
        "bytes": archive.stat().st_size,
        "source": source.address,
        "first_download": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with atomic_path(_lock(archive)) as partial:
        partial.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
