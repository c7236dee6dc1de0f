"""Download a standard set and unpack it where `load` looks for it."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from xmlwb.atomic import atomic_path

from .cache import cache_dir
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
        No source could be used; the message holds the reason of each, and where to look by hand.
    """
    info = set_info(name)
    folder = fetched_dir(info)
    if folder.is_dir() and any(folder.iterdir()) and not force:
        return folder
    reasons = []
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
        another SHA-256 than the first download had, or holds names that lead out of the folder.
    """
    downloads = folder.parent / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    archive = downloads / source.archive
    if force:
        archive.unlink(missing_ok=True)
    _download(source, archive, progress)
    check_archive(archive)
    _remember(archive, source)
    unpack(archive, folder)
    return folder


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


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip or tar file into `folder`, whole or not at all; what was in the folder before is replaced.

    Raises
    ------
    FetchError
        A member whose name leads out of the folder, a link or a device; nothing is left of the attempt.
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
    old = None
    if folder.exists():
        old = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.old."))
        os.replace(folder, old / folder.name)
    os.replace(new, folder)
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


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
