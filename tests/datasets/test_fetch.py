"""Downloads from a server of our own on this machine: what arrives, what is refused, and what stays behind."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import tarfile
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import gdown
import pytest

from xmlwb.datasets import fetch as fetch_module
from xmlwb.datasets import load, registry
from xmlwb.datasets.fetch import FetchError, fetch, fetch_source, remembered_hash, unpack
from xmlwb.datasets.registry import Source
from xmlwb.datasets.resuming import ResumingDownloader

TEXT = "".join(f"{i} {i * i}\n" for i in range(20_000))


def zip_of(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()


def set_of(files):
    """An archive in which a layout is recognised by its names."""
    return zip_of({"train.txt": "", "test.txt": "", **files})


class Site:
    """What the server gives: `pages` by path; `cut` closes the connection after so many bytes of a reply, once."""

    def __init__(self):
        self.pages = {}
        self.types = {}
        self.etag = '"one"'
        self.ranges = True
        self.announces_length = True
        self.cuts = []
        self.requests = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        site = self.server.site
        wanted = self.headers.get("Range")
        site.requests.append(wanted)
        page = site.pages.get(self.path)
        if page is None:
            self.send_error(404)
            return
        start = 0
        if wanted and site.ranges and self.headers.get("If-Range") in (None, site.etag):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(page):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(page) - 1}/{len(page)}")
        self.send_header("Content-Type", site.types.get(self.path, "application/octet-stream"))
        if site.announces_length:
            self.send_header("Content-Length", str(len(page) - start))
        if site.etag:
            self.send_header("ETag", site.etag)
        self.end_headers()
        body = page[start:]
        self.wfile.write(body[: site.cuts.pop(0)] if site.cuts else body)

    def log_message(self, *args):
        pass


@pytest.fixture
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.site = Site()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    server.site.address = f"http://127.0.0.1:{server.server_address[1]}"
    yield server.site
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "datasets" / "bibtex"


def get(site, folder, name="a.zip", **options):
    return fetch_source(Source("url", f"{site.address}/{name}", name), folder, progress=False, **options)


def left_in(folder):
    """Everything under the data folder but the directories."""
    return sorted(str(p.relative_to(folder.parent)) for p in folder.parent.rglob("*") if p.is_file())


def test_a_good_archive_is_unpacked_and_its_hash_remembered(site, folder):
    site.pages["/a.zip"] = zip_of({"in/train.txt": TEXT, "in/test.txt": "x"})
    assert get(site, folder) == folder
    assert (folder / "in" / "train.txt").read_text() == TEXT
    archive = folder.parent / "downloads" / "a.zip"
    assert remembered_hash(archive) == hashlib.sha256(site.pages["/a.zip"]).hexdigest()
    lock = json.loads((archive.parent / "a.zip.lock.json").read_text())
    assert lock["bytes"] == len(site.pages["/a.zip"])
    assert left_in(folder) == [
        "bibtex/in/test.txt", "bibtex/in/train.txt", "downloads/a.zip", "downloads/a.zip.lock.json",
    ]  # fmt: skip
    get(site, folder)
    assert len(site.requests) == 1  # the archive is still there


def test_a_tar_archive(site, folder):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name in ("in/train.txt", "in/test.txt"):
            info = tarfile.TarInfo(name)
            info.size = len(TEXT)
            tar.addfile(info, io.BytesIO(TEXT.encode()))
    site.pages["/a.tar.gz"] = out.getvalue()
    get(site, folder, "a.tar.gz")
    assert (folder / "in" / "train.txt").read_text() == TEXT
    site.pages["/b.tar.gz"] = out.getvalue()[:-500]
    with pytest.raises(FetchError, match=r"b\.tar\.gz: .*no whole archive"):
        get(site, folder, "b.tar.gz")


def test_another_file_under_the_same_name_is_refused(site, folder):
    site.pages["/a.zip"] = set_of({"a.txt": "first"})
    get(site, folder)
    first = hashlib.sha256(site.pages["/a.zip"]).hexdigest()
    site.pages["/a.zip"] = set_of({"a.txt": "other"})
    other = hashlib.sha256(site.pages["/a.zip"]).hexdigest()
    with pytest.raises(FetchError) as caught:
        get(site, folder, force=True)
    assert first in str(caught.value)
    assert other in str(caught.value)
    assert "a.zip.lock.json" in str(caught.value)
    assert (folder / "a.txt").read_text() == "first"
    assert not (folder.parent / "downloads" / "a.zip").exists()
    (folder.parent / "downloads" / "a.zip.lock.json").unlink()
    get(site, folder)
    assert (folder / "a.txt").read_text() == "other"


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/zip"])
def test_a_web_page_is_refused(site, folder, kind):
    site.pages["/a.zip"] = b"\n<!DOCTYPE html><html><head><title>Quota\n exceeded</title></head></html>"
    site.types["/a.zip"] = kind
    with pytest.raises(FetchError, match=r"a web page \('Quota exceeded'\).*wanted an archive"):
        get(site, folder)
    assert [name for name in left_in(folder) if not name.endswith(".part.json")] == []


@pytest.mark.parametrize("content", [b"", b"neither zip nor tar", zip_of({"a": TEXT})[:-100], zip_of({})])
def test_what_is_no_whole_archive_is_refused(site, folder, content):
    site.pages["/a.zip"] = content
    with pytest.raises(FetchError, match="wanted"):
        get(site, folder)
    assert left_in(folder) == []
    assert not folder.exists()


def zip_with_a_link():
    out = io.BytesIO(set_of({}))
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr(info, "elsewhere")
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (zip_of({}), "an empty archive"),
        (set_of({"../evil.txt": "x"}), "leads out of the folder"),
        (zip_with_a_link(), "'link' is a link"),
        (zip_of({"README": "moved elsewhere", "a/b/c/train.txt": "", "a/b/c/test.txt": ""}), "no known layout"),
    ],
)
def test_an_archive_that_is_refused_does_not_shut_out_the_good_one(site, folder, content, reason):
    site.pages["/a.zip"] = content
    with pytest.raises(FetchError, match=rf"a\.zip: .*{reason}"):
        get(site, folder)
    assert left_in(folder) == []
    site.pages["/a.zip"] = set_of({"a.txt": TEXT})
    get(site, folder)
    assert (folder / "a.txt").read_text() == TEXT
    site.pages["/a.zip"] = content
    with pytest.raises(FetchError, match="SHA256"):
        get(site, folder, force=True)
    assert (folder / "a.txt").read_text() == TEXT


def test_a_flipped_byte_is_found(site, folder):
    content = bytearray(set_of({"a.txt": TEXT}))
    content[1000] ^= 1
    site.pages["/a.zip"] = bytes(content)
    with pytest.raises(FetchError, match=r"a\.txt fails its checksum|Bad CRC"):
        get(site, folder)
    assert left_in(folder) == []


def test_a_cut_connection_is_resumed(site, folder):
    page = site.pages["/a.zip"] = set_of({"a.txt": TEXT})
    site.cuts = [6 << 14, 3 << 14]
    get(site, folder)
    assert (folder / "a.txt").read_text() == TEXT
    assert site.requests == [None, f"bytes={6 << 14}-", f"bytes={9 << 14}-"]
    assert len(page) > 150_000


def test_the_next_command_goes_on_where_the_last_one_stopped(site, folder):
    site.pages["/a.zip"] = set_of({"a.txt": TEXT})
    site.cuts = [3 << 14, 0]
    with pytest.raises(FetchError, match="cut off after 49,152 bytes"):
        get(site, folder)
    assert not folder.exists()
    get(site, folder)
    assert site.requests[-1] == "bytes=49152-"
    assert (folder / "a.txt").read_text() == TEXT
    assert not [name for name in left_in(folder) if ".part" in name]


@pytest.mark.parametrize("change", ["no ranges", "new version", "no version"])
def test_without_a_safe_way_to_go_on_it_begins_again(site, folder, change):
    site.pages["/a.zip"] = set_of({"a.txt": TEXT})
    site.cuts = [3 << 14, 0]
    if change == "no version":
        site.etag = None
        site.cuts.append(0)  # the second try begins again, and only the third brings nothing new
    with pytest.raises(FetchError):
        get(site, folder)
    if change == "no ranges":
        site.ranges = False
    if change == "new version":
        site.pages["/a.zip"] = set_of({"b.txt": TEXT[::-1]})
        site.etag = '"two"'
    get(site, folder)
    name, text = ("b.txt", TEXT[::-1]) if change == "new version" else ("a.txt", TEXT)
    assert (folder / name).read_text() == text


def test_a_partial_file_that_is_complete_already(site, folder, tmp_path):
    site.pages["/f"] = b"12345"
    part = tmp_path / "f.part"
    part.write_bytes(b"12345")
    (tmp_path / "f.part.json").write_text(json.dumps({"url": f"{site.address}/f", "version": '"one"'}))
    ResumingDownloader(part, progress=False)(f"{site.address}/f", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == b"12345"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f"]


def test_a_short_reply_without_a_length_is_refused(site, folder):
    site.pages["/a.zip"] = set_of({"a.txt": TEXT})
    site.announces_length = False
    site.cuts = [60_000]
    with pytest.raises(FetchError, match="no whole archive"):
        get(site, folder)
    assert not folder.exists()


def test_what_the_server_refuses(site, folder):
    with pytest.raises(FetchError, match="the server answers 404"):
        get(site, folder, "gone.zip")
    site.address = "http://127.0.0.1:1"
    with pytest.raises(FetchError, match="cut off after 0 bytes"):
        get(site, folder)


@pytest.mark.parametrize("name", ["../evil.txt", "a/../../evil.txt", "/evil.txt", "C:/evil.txt", "..\\evil.txt"])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    archive = tmp_path / "a.zip"
    archive.write_bytes(zip_of({"good.txt": "x", name: "evil"}))
    with pytest.raises(FetchError, match="leads out of the folder"):
        unpack(archive, tmp_path / "data" / "set")
    assert not (tmp_path / "data" / "set").exists()
    assert not list(tmp_path.rglob("evil.txt"))
    assert list((tmp_path / "data").iterdir()) == []


def test_links_are_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    for name in ("a.tar", "a.zip"):
        with pytest.raises(FetchError, match="member 'link' is"):
            unpack(tmp_path / name, tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_an_interrupted_unpacking_leaves_what_was_there(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "set"
    archive = tmp_path / "a.zip"
    archive.write_bytes(zip_of({"a.txt": "old"}))
    unpack(archive, folder)
    archive.write_bytes(zip_of({"a.txt": "new", "b.txt": "new"}))
    original = zipfile.ZipFile.extractall

    def interrupted(self, path):
        original(self, path, members=["a.txt"])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "extractall", interrupted)
        with pytest.raises(KeyboardInterrupt):
            unpack(archive, folder)
    assert [p.name for p in folder.parent.iterdir()] == ["set"]
    assert (folder / "a.txt").read_text() == "old"
    unpack(archive, folder)
    assert (folder / "b.txt").read_text() == "new"
    assert [p.name for p in folder.parent.iterdir()] == ["set"]


def test_a_folder_that_can_not_be_put_in_place_leaves_the_old_one(tmp_path, monkeypatch):
    folder, archive = tmp_path / "data" / "set", tmp_path / "a.zip"
    archive.write_bytes(zip_of({"a.txt": "old"}))
    unpack(archive, folder)
    archive.write_bytes(zip_of({"a.txt": "new"}))
    original = os.replace

    def refused(source, target):
        if ".unpacking." in str(source):
            raise PermissionError("in use")
        original(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refused)
        with pytest.raises(PermissionError, match="in use"):
            unpack(archive, folder)
    assert [p.name for p in folder.parent.iterdir()] == ["set"]
    assert (folder / "a.txt").read_text() == "old"


def test_a_damaged_lock_is_named(site, folder):
    site.pages["/a.zip"] = set_of({"a.txt": "x"})
    get(site, folder)
    (folder.parent / "downloads" / "a.zip.lock.json").write_text("{")
    with pytest.raises(FetchError, match=r"a\.zip\.lock\.json: .*wanted the hash"):
        get(site, folder)


def drive_source():
    return Source("drive", "an-id", "a.zip")


def test_drive_files_come_through_gdown(folder, monkeypatch):
    asked = []

    def download(*, id, output, quiet, resume, use_cookies):
        asked.append((id, quiet, resume))
        with open(output, "wb") as out:
            out.write(set_of({"a.txt": "x"}))
        return output

    monkeypatch.setattr(gdown, "download", download)
    fetch_source(drive_source(), folder, progress=False)
    assert (folder / "a.txt").read_text() == "x"
    assert asked == [("an-id", True, True)]
    assert left_in(folder) == [
        "bibtex/a.txt", "bibtex/test.txt", "bibtex/train.txt", "downloads/a.zip", "downloads/a.zip.lock.json",
    ]  # fmt: skip


@pytest.mark.parametrize("trouble", ["page", "quota", "cut"])
def test_drive_trouble_is_told(folder, monkeypatch, trouble):
    def download(*, id, output, **options):
        if trouble == "quota":
            raise gdown.exceptions.FileURLRetrievalError("Cannot retrieve the public link:\n too many users")
        if trouble == "cut":
            raise gdown.exceptions.DownloadError("the body ended early")
        with open(output, "wb") as out:
            out.write(b"<!DOCTYPE html><title>Google Drive - Quota exceeded</title>")
        return output

    monkeypatch.setattr(gdown, "download", download)
    messages = {"page": "Quota exceeded", "quota": "link: too many", "cut": "ended early"}
    with pytest.raises(FetchError, match=f"Google Drive file an-id.*{messages[trouble]}"):
        fetch_source(drive_source(), folder, progress=False)
    assert left_in(folder) == []


def with_sources(monkeypatch, *sources):
    info = replace(registry.STANDARD["bibtex"], sources=sources)
    monkeypatch.setattr(fetch_module, "set_info", lambda name: info)


@pytest.mark.filterwarnings("ignore:.*are published:UserWarning")
def test_fetch_tries_every_source_and_load_finds_the_files(site, tmp_path, monkeypatch):
    monkeypatch.setenv("XMLWB_CACHE", str(tmp_path))
    monkeypatch.delenv("XMLWB_DATA", raising=False)
    site.pages["/b.zip"] = zip_of({
        "Bibtex/Bibtex_data.txt": "3 2 2\n0 0:1\n1 1:1\n 0:2\n",
        "Bibtex/Bibtex_trSplit.txt": "1\n3\n",
        "Bibtex/Bibtex_tstSplit.txt": "2\n",
    })  # fmt: skip
    dead = Source("url", f"{site.address}/dead.zip", "dead.zip")
    with_sources(monkeypatch, dead, Source("url", f"{site.address}/b.zip", "b.zip"))
    assert fetch("bibtex", progress=False) == tmp_path / "datasets" / "bibtex"
    assert load("bibtex").n_train == 2
    asked = len(site.requests)
    fetch("bibtex", progress=False)
    assert len(site.requests) == asked


def test_a_source_with_files_that_load_can_not_read_is_passed_over(site, tmp_path, monkeypatch):
    monkeypatch.setenv("XMLWB_CACHE", str(tmp_path))
    site.pages["/odd.zip"] = zip_of({"in/features.bin": "x"})
    site.pages["/b.zip"] = set_of({"b.txt": "x"})
    with_sources(monkeypatch, *(Source("url", f"{site.address}/{name}", name) for name in ("odd.zip", "b.zip")))
    assert (fetch("bibtex", progress=False) / "b.txt").is_file()
    with_sources(monkeypatch, Source("url", f"{site.address}/odd.zip", "odd.zip"))
    with pytest.raises(FetchError, match=r"odd\.zip: no known layout among its files in/features\.bin, wanted"):
        fetch("bibtex", progress=False, force=True)
    assert (tmp_path / "datasets" / "bibtex" / "b.txt").is_file()


def test_files_of_another_kind_in_the_folder_are_neither_taken_for_the_set_nor_deleted(site, tmp_path, monkeypatch):
    monkeypatch.setenv("XMLWB_CACHE", str(tmp_path))
    site.pages["/b.zip"] = set_of({"b.txt": "x"})
    with_sources(monkeypatch, Source("url", f"{site.address}/b.zip", "b.zip"))
    mine = tmp_path / "datasets" / "bibtex" / "mine.zip"
    mine.parent.mkdir(parents=True)
    mine.write_text("x")
    with pytest.raises(FetchError, match=r"bibtex holds mine\.zip.* in no known layout.*force"):
        fetch("bibtex", progress=False)
    assert mine.is_file()
    assert (fetch("bibtex", progress=False, force=True) / "b.txt").is_file()


def test_two_fetches_of_one_set_do_not_meet(site, tmp_path, monkeypatch):
    monkeypatch.setenv("XMLWB_CACHE", str(tmp_path))
    site.pages["/b.zip"] = set_of({"b.txt": "x"})
    with_sources(monkeypatch, Source("url", f"{site.address}/b.zip", "b.zip"))
    original, met = fetch_module.unpack, []

    def unpack_while_another_comes(*args, **options):
        with pytest.raises(FetchError, match=r"another process .* delete .*bibtex\.fetching") as caught:
            fetch("bibtex", progress=False)
        met.append(caught)
        original(*args, **options)

    monkeypatch.setattr(fetch_module, "unpack", unpack_while_another_comes)
    folder = fetch("bibtex", progress=False)
    assert len(met) == len(site.requests) == 1
    assert left_in(folder) == [
        "bibtex/b.txt", "bibtex/test.txt", "bibtex/train.txt", "downloads/b.zip", "downloads/b.zip.lock.json",
    ]  # fmt: skip


def test_when_no_source_works_every_reason_is_told(site, tmp_path, monkeypatch):
    monkeypatch.setenv("XMLWB_CACHE", str(tmp_path))
    with_sources(monkeypatch, *(Source("url", f"{site.address}/{name}", name) for name in ("x.zip", "y.zip")))
    with pytest.raises(FetchError) as caught:
        fetch("bibtex", progress=False)
    for part in ("Bibtex could not be fetched", "/x.zip: the server answers 404", "/y.zip", "XMLWB_DATA"):
        assert part in str(caught.value)
    with_sources(monkeypatch)
    with pytest.raises(FetchError, match="no source is known"):
        fetch("bibtex")


def test_progress_is_shown_in_bytes(site, folder, capsys):
    site.pages["/a.zip"] = set_of({"a.txt": TEXT})
    fetch_source(Source("url", f"{site.address}/a.zip", "a.zip"), folder, progress=True)
    assert "a.zip: 100%" in capsys.readouterr().err
