"""Build the two bundled data sets, debtags and debdeps, from apt's own lists.

Needs two lists of one Debian suite (main, one architecture): Packages, which every apt has, and
Translation-en, which holds the long descriptions. On Debian, or in a Debian container:

    apt-get -o Acquire::Languages=en update
    python data/build_debian.py --lists /var/lib/apt/lists

One Parquet file comes out, xmlwb/datasets/bundled/debian.parquet, with a row for every package: its name, its
source package, its split, its text, its tags and its dependencies. Both data sets are read from it, so that a text
that both use is stored once. The same lists give the same file. data/README.md states every rule applied here.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import lzma
import re
import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from xmlwb.atomic import atomic_path

FORMAT = 1
OUT = Path(__file__).resolve().parent.parent / "xmlwb" / "datasets" / "bundled" / "debian.parquet"
NAME_MARK = "\N{HORIZONTAL ELLIPSIS}"  # stands in a text where the package's own name stood
SPLITS = ("train", "valid", "test")
MIN_DEP_POSITIVES = 2
APT_HELPER = Path("/usr/lib/apt/apt-helper")
Stanza = dict[str, str]


def find_list(lists: Path, suite: str, ending: str) -> Path:
    """The one file of ``lists`` that apt stored for ``suite`` under a name that ends so (compressed or not)."""
    pattern = f"*_dists_{suite}_main_{ending}"
    found = sorted(p for end in ("", ".lz4", ".gz", ".xz") for p in lists.glob(pattern + end))
    if len(found) != 1:
        hint = "run `apt-get -o Acquire::Languages=en update` first" if not found else "keep one of them"
        names = ", ".join(p.name for p in found) or "none"
        raise SystemExit(f"--lists: wanted one file {pattern} in {lists}, found {names}: {hint}")
    return found[0]


def read_list(path: Path) -> str:
    """The text of a list, decompressed by what its name ends in."""
    if path.suffix == ".lz4":  # apt's default on disk; Python's standard library does not read it
        program = shutil.which("lz4")
        command = [program, "-dc"] if program else [str(APT_HELPER), "cat-file"]
        return subprocess.run([*command, str(path)], check=True, stdout=subprocess.PIPE).stdout.decode("utf-8")
    opener = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    with opener(path, "rb") as file:  # type: ignore[operator]
        return file.read().decode("utf-8")


def stanzas(text: str) -> Iterator[Stanza]:
    """The stanzas of a deb822 text, one dict each; continuation lines keep their leading blank."""
    for block in text.split("\n\n"):
        fields: Stanza = {}
        key = ""
        for line in block.splitlines():
            if line[:1] in (" ", "\t"):
                fields[key] += "\n" + line
            elif line:
                key, _, value = line.partition(":")
                fields[key] = value.strip()
        if fields:
            yield fields


def unwrap(description: str) -> str:
    """A description as paragraphs: lines of one paragraph joined, " ." a blank line, indented lines kept."""
    short, *lines = description.splitlines()
    out = [short.strip()]
    joinable = False
    for line in lines:
        body = line[1:].rstrip()
        if body == "." or not body:
            out.append("")
            joinable = False
        elif body[0] in " \t":
            out.append(body)
            joinable = False
        elif joinable:
            out[-1] += " " + body
        else:
            out.append(body)
            joinable = True
    return "\n".join(out).strip()


def leave_name_out(text: str, name: str) -> str:
    """``text`` with every whole-word occurrence of ``name``, in any case, replaced by the mark."""
    text = text.replace(NAME_MARK, "...")
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", NAME_MARK, text, flags=re.IGNORECASE)


def relation_names(field: str) -> set[str]:
    """Package names in a Depends-like field: alternatives split, versions and architectures stripped."""
    names = (re.split(r"[\s(:\[<]", item.strip(), maxsplit=1)[0] for item in re.split(r"[,|]", field))
    return {name for name in names if name}


def tags_of(package: Stanza) -> set[str]:
    """A package's debtags without the placeholders ``facet::TODO``, which say that no tag was chosen yet."""
    tags = {tag.strip() for tag in package.get("Tag", "").split(",")}
    return {tag for tag in tags if tag and not tag.endswith("TODO")}


def source_of(package: Stanza) -> str:
    """The source package's name; apt leaves the field out where it equals the package's name."""
    return package.get("Source", package["Package"]).split(" ", 1)[0]


def split_of(source: str) -> int:
    """0, 1 or 2 (train, valid, test) for about 70, 10 and 20 % of all sources, by a hash of the name alone."""
    bucket = int.from_bytes(hashlib.sha256(source.encode()).digest()[:8], "big") % 100
    return 0 if bucket < 70 else 1 if bucket < 80 else 2


def dependencies(packages: dict[str, Stanza]) -> dict[str, set[str]]:
    """For each package the real packages it depends on or recommends, labels of one positive left out.

    A virtual package has no description of its own: with exactly one provider its name stands for that provider,
    else it is dropped, and so are names that no package of the suite has.
    """
    provider: defaultdict[str, set[str]] = defaultdict(set)
    for name, package in packages.items():
        for virtual in relation_names(package.get("Provides", "")):
            provider[virtual].add(name)
    wanted: dict[str, set[str]] = {}
    for name, package in packages.items():
        fields = ("Pre-Depends", "Depends", "Recommends")
        found: set[str] = set()
        for other in set().union(*(relation_names(package.get(field, "")) for field in fields)):
            if other in packages:
                found.add(other)
            elif len(provider[other]) == 1:
                found |= provider[other]
        wanted[name] = found - {name}
    positives = Counter(other for found in wanted.values() for other in found)
    return {name: {o for o in found if positives[o] >= MIN_DEP_POSITIVES} for name, found in wanted.items()}


def build_table(packages_text: str, translation_text: str, origin: dict[str, str]) -> pa.Table:
    """One row for each package, sorted by (source, package); ``origin`` goes into the metadata."""
    packages: dict[str, Stanza] = {}
    for stanza in stanzas(packages_text):
        packages.setdefault(stanza["Package"], stanza)  # a few names occur in two versions: the first one stays
    by_package: dict[tuple[str, str], str] = {}
    by_md5: dict[str, str] = {}
    for stanza in stanzas(translation_text):
        description, md5 = stanza["Description-en"], stanza["Description-md5"]
        by_package[stanza["Package"], md5] = description
        by_md5.setdefault(md5, description)

    def text_of(name: str) -> str:
        package = packages[name]
        md5 = package.get("Description-md5", "")
        description = by_package.get((name, md5)) or by_md5.get(md5) or package.get("Description", "")
        return leave_name_out(unwrap(description), name) if description else ""

    names = sorted(packages, key=lambda name: (source_of(packages[name]), name))
    row = {name: i for i, name in enumerate(names)}
    tags = {name: tags_of(packages[name]) for name in names}
    tag_names = sorted(set().union(*tags.values()))
    tag_id = {tag: i for i, tag in enumerate(tag_names)}
    needed = dependencies(packages)
    about = {
        "format": FORMAT,
        "origin": origin,
        "tags": tag_names,
        "sha256_packages": hashlib.sha256(packages_text.encode()).hexdigest(),
        "sha256_translation": hashlib.sha256(translation_text.encode()).hexdigest(),
    }
    schema = pa.schema(
        [
            ("package", pa.string()),
            ("source", pa.string()),
            ("split", pa.int8()),
            ("text", pa.string()),
            ("tags", pa.list_(pa.int16())),
            ("depends", pa.list_(pa.int32())),
        ],
        metadata={"xmlwb": json.dumps(about, sort_keys=True)},
    )
    columns = [
        names,
        [source_of(packages[name]) for name in names],
        [split_of(source_of(packages[name])) for name in names],
        [text_of(name) for name in names],
        [sorted(tag_id[tag] for tag in tags[name]) for name in names],
        [sorted(row[other] for other in needed[name]) for name in names],
    ]
    return pa.table([pa.array(c, type=f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


def write_table(table: pa.Table, path: Path) -> None:
    """Write atomically; one page a column, since neighbours of one source compress against each other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as partial:
        pq.write_table(
            table, partial, compression="zstd", compression_level=19, row_group_size=max(1, len(table)),
            data_page_size=1 << 28, use_dictionary=["source"], write_statistics=False,
        )  # fmt: skip


def release_of(lists: Path, suite: str) -> dict[str, str]:
    """Version and date of the suite's Release file, where apt kept one beside the lists."""
    fields = {}
    for path in sorted([*lists.glob(f"*_dists_{suite}_InRelease"), *lists.glob(f"*_dists_{suite}_Release")])[:1]:
        for key in ("Version", "Date"):
            found = re.search(rf"^{key}: (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
            if found:
                fields[key.lower()] = found[1].strip()
    return fields


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lists", type=Path, default=Path("/var/lib/apt/lists"), help="folder of apt's lists")
    parser.add_argument("--suite", default="bookworm", help="suite without -security or -updates (default bookworm)")
    parser.add_argument("--arch", default="amd64", help="architecture (default amd64)")
    parser.add_argument("--out", type=Path, default=OUT, help="the Parquet file to write")
    args = parser.parse_args(argv)
    packages = find_list(args.lists, args.suite, f"binary-{args.arch}_Packages")
    translation = find_list(args.lists, args.suite, "i18n_Translation-en")
    origin = {"suite": args.suite, "component": "main", "arch": args.arch, **release_of(args.lists, args.suite)}
    table = build_table(read_list(packages), read_list(translation), origin)
    write_table(table, args.out)
    digest = hashlib.sha256(args.out.read_bytes()).hexdigest()
    print(f"{len(table):,} packages, {args.out.stat().st_size / 1e6:.2f} MB, sha256 {digest}: {args.out}")


if __name__ == "__main__":
    main()
