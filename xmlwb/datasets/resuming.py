"""Downloaders for pooch that resume, and that refuse a web page in place of a file."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

_BLOCK = 1 << 14  # what has come of a block is lost when the connection breaks in it
_TIMEOUT = (15, 60)  # seconds to connect, seconds without a byte


class FetchError(RuntimeError):
    """A download that failed or was refused; the message says why, and what to do."""


@dataclass(frozen=True)
class ResumingDownloader:
    """Downloads an address to a file, going on where an earlier try was cut off if the server allows.

    What has arrived so far is kept in `part` between tries, with the server's mark of the version (ETag or date)
    beside it: another version is downloaded from its beginning.

    Attributes
    ----------
    part : where the incomplete file is kept.
    progress : show a bar.
    tries : how often to go on after a cut connection before giving up.
    """

    part: Path
    progress: bool = True
    tries: int = 3

    def __call__(self, url: str, output_file: Any, pooch: Any = None) -> None:
        from requests.exceptions import ChunkedEncodingError, ConnectionError, Timeout

        for left in reversed(range(self.tries)):
            before = _size(self.part)
            try:
                self._receive(url)
                break
            except (ConnectionError, Timeout, ChunkedEncodingError) as problem:
                held = _size(self.part)
                if left == 0 or held == before:  # nothing new came: the next try would be no better
                    raise FetchError(
                        f"{url}: cut off after {held:,} bytes ({type(problem).__name__}); they are kept, and the same "
                        "command goes on from there if the server allows"
                    ) from problem
        refuse_web_page(self.part, url)
        self._mark().unlink(missing_ok=True)
        os.replace(self.part, output_file)

    def _receive(self, url: str) -> None:
        import requests

        held, headers = _size(self.part), {"Accept-Encoding": "identity"}
        version = self._version(url)
        if held and version is not None:
            headers |= {"Range": f"bytes={held}-", "If-Range": version}
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as reply:
            if reply.status_code == requests.codes.requested_range_not_satisfiable:
                self.part.unlink(missing_ok=True)  # no such place in the file that the server has now
                self._mark().unlink(missing_ok=True)
                raise requests.ConnectionError(f"{url}: the server can not go on at byte {held}")
            if not reply.ok:
                raise FetchError(f"{url}: the server answers {reply.status_code} {reply.reason}")
            if reply.headers.get("Content-Type", "").partition(";")[0].strip().lower() == "text/html":
                raise FetchError(f"{url}: a web page{_title(next(reply.iter_content(4096), b''))}, wanted an archive")
            self._store(url, reply, held)

    def _store(self, url: str, reply: requests.Response, held: int) -> None:
        goes_on = reply.status_code == 206 and re.match(rf"bytes {held}-", reply.headers.get("Content-Range", ""))
        start = held if goes_on else 0
        length = reply.headers.get("Content-Length")
        wanted = None if length is None else start + int(length)
        mark = reply.headers.get("ETag") or reply.headers.get("Last-Modified")
        if mark is None or mark.startswith("W/"):  # a weak mark does not promise the same bytes
            mark = reply.headers.get("Last-Modified")
        self._mark().write_text(json.dumps({"url": url, "version": mark}), encoding="utf-8")
        with open(self.part, "ab" if goes_on else "wb") as out, self._bar(start, wanted) as advance:
            for block in reply.iter_content(_BLOCK):
                out.write(block)
                advance(len(block))
        if wanted is not None and _size(self.part) != wanted:
            import requests

            raise requests.ConnectionError(f"{url}: {_size(self.part):,} bytes came, wanted {wanted:,}")

    def _bar(self, start: int, total: int | None) -> _Bar:
        return _Bar(self.part.name.removesuffix(".part"), start, total, self.progress)

    def _mark(self) -> Path:
        return self.part.with_name(self.part.name + ".json")

    def _version(self, url: str) -> str | None:
        """The server's mark of the version that `part` belongs to; None where that is not known."""
        try:
            mark = json.loads(self._mark().read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return mark.get("version") if isinstance(mark, dict) and mark.get("url") == url else None


@dataclass(frozen=True)
class DriveDownloader:
    """Downloads a Google Drive file by its id, through gdown, which keeps and resumes its own partial files."""

    part: Path
    progress: bool = True

    def __call__(self, file_id: str, output_file: Any, pooch: Any = None) -> None:
        import gdown
        import requests

        where = f"Google Drive file {file_id}"
        try:
            gdown.download(id=file_id, output=str(self.part), quiet=not self.progress, resume=True, use_cookies=False)
        except gdown.exceptions.DownloadError as problem:
            reason = " ".join(str(problem).split())
            raise FetchError(f"{where}: {reason[:300]}") from problem
        except (requests.RequestException, OSError) as problem:
            raise FetchError(f"{where}: {type(problem).__name__}: {problem}") from problem
        refuse_web_page(self.part, where)
        os.replace(self.part, output_file)


class _Bar:
    """A progress bar in bytes; as a context it gives the function to advance it."""

    def __init__(self, name: str, start: int, total: int | None, shown: bool) -> None:
        from tqdm.auto import tqdm

        self._bar = tqdm(
            total=total, initial=start, unit="B", unit_scale=True, unit_divisor=1024, desc=name, disable=not shown
        )

    def __enter__(self) -> Callable[[int], Any]:
        return self._bar.update

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def refuse_web_page(path: Path, where: str) -> None:
    """Raise FetchError, and remove the file, where it begins like HTML."""
    with open(path, "rb") as stream:
        start = stream.read(4096)
    if re.match(rb"(\xef\xbb\xbf)?\s*<(!doctype|html|head|\?xml|!--)", start, re.IGNORECASE):
        path.unlink()
        raise FetchError(f"{where}: a web page{_title(start)} came, wanted an archive")


def _title(page: bytes) -> str:
    found = re.search(rb"<title[^>]*>(.*?)</title", page, re.IGNORECASE | re.DOTALL)
    return f" ({' '.join(found[1].decode('utf-8', errors='replace').split())[:80]!r})" if found else ""


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
