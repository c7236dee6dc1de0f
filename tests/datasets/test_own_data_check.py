"""The check of a folder: every planted mistake is found, with its place, in every format; sound rows are kept."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import sparse

from xmlwb.datasets import load
from xmlwb.datasets.own import FORMS, check_folder, faults_table
from xmlwb.datasets.own.faults import KINDS, Fault
from xmlwb.datasets.readers import DataFileError, read_folder
from xmlwb.lessons.own_data import PLANTED, mend, write_faulty_folder


def kinds(found, severity=None):
    return {fault.kind for fault in found.faults if severity in (None, fault.severity)}


def only(found, kind):
    (fault,) = [fault for fault in found.faults if fault.kind == kind]
    return fault


def sound_rows(n, seed=0):
    """Lines of the Repository's format: 8 features, 4 labels, no two rows alike, column 0 used."""
    rng = np.random.default_rng(seed)
    return [f"{i % 4} {i % 4}:1 {4 + i % 4}:{rng.random():.6f}" for i in range(n)]


def write_rows(path, rows, header=None, sizes="8 4"):
    path.write_text("\n".join([header or f"{len(rows)} {sizes}", *rows]) + "\n")


def test_a_sound_folder_is_read_as_the_strict_reader_reads_it(tmp_path):
    write_rows(tmp_path / "train.txt", [*sound_rows(20), ""])
    write_rows(tmp_path / "test.txt", sound_rows(10, seed=1))
    found = check_folder(tmp_path, unit_rows=False)
    assert kinds(found) == {"no labels", "no features"}  # the blank line at the end, which the header counts
    strict = read_folder(tmp_path)
    assert (found.dataset.X_train != strict.train.X).nnz == (found.dataset.Y_train != strict.train.Y).nnz == 0
    assert (found.dataset.X_test != strict.test.X).nnz == (found.dataset.Y_test != strict.test.Y).nnz == 0


BROKEN = {
    2: ("1 1:x", "malformed line"),
    5: ("a 1:1", "malformed line"),
    7: ("9 1:1", "index out of range"),
    8: ("1 99:1", "index out of range"),
    11: ("1,1 1:1", "index twice"),
    13: ("1 2:nan", "value not finite"),
    14: ("1 2:1e99", "value not finite"),
    16: ("3 4:-inf 2:1", "value not finite"),
    19: ("2 1:1 1", "malformed line"),
}


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_every_broken_line_is_named_and_left_out(tmp_path, ending):
    import gzip

    rows = sound_rows(20)
    for i, (text, _) in BROKEN.items():
        rows[i] = text
    content = "\n".join(["20 8 4", *rows])  # no line end at the end
    (tmp_path / f"train.txt{ending}").write_bytes(gzip.compress(content.encode()) if ending else content.encode())
    write_rows(tmp_path / "test.txt", sound_rows(10, seed=1))
    found = check_folder(tmp_path)
    said = {line: fault.kind for fault in found.errors for line in fault.lines}
    assert said == {i + 2: kind for i, (_, kind) in BROKEN.items()}
    assert all(fault.file == f"train.txt{ending}" for fault in found.errors)
    assert found.dataset.n_train == 20 - len(BROKEN)
    assert "train.txt" in str(found.errors[0])


def test_it_finds_errors_exactly_where_the_strict_reader_refuses(tmp_path):
    write_rows(tmp_path / "test.txt", sound_rows(6, seed=1))
    write_rows(tmp_path / "train.txt", sound_rows(12))
    sound = (tmp_path / "train.txt").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        content = bytearray(sound)
        for at in rng.integers(len(content), size=rng.integers(1, 4)):
            content[at] = rng.choice(list(b"019:,. \n\t-enax%"))
        (tmp_path / "train.txt").write_bytes(content)
        try:
            read_folder(tmp_path)
            strict = False
        except DataFileError:
            strict = True
        found = check_folder(tmp_path)
        assert bool(found.errors) == strict, bytes(content)
        refused += strict
    assert 100 < refused < 300


def test_a_wrong_header_is_said_with_what_the_file_holds(tmp_path):
    rows = sound_rows(20)
    (tmp_path / "test.txt").write_text("\n".join(sound_rows(8, seed=1)) + "\n")
    write_rows(tmp_path / "train.txt", rows, header="23 8 4")
    found = check_folder(tmp_path)
    assert only(found, "number of rows").message == "20 rows, wanted 23 (the header says so)"
    assert "write that as the first line" in only(found, "header").message
    assert "'8 8 4'" in only(found, "header").message
    assert found.dataset.X_test.shape == (8, 8)
    write_rows(tmp_path / "train.txt", rows, header="twenty 8 4")
    assert {fault.lines for fault in check_folder(tmp_path).errors if fault.file == "train.txt"} >= {(1,)}


def test_parts_of_different_widths(tmp_path):
    write_rows(tmp_path / "train.txt", sound_rows(20))
    write_rows(tmp_path / "test.txt", sound_rows(8, seed=1), sizes="9 5")
    found = check_folder(tmp_path)
    messages = [fault.message for fault in found.errors if fault.kind == "widths differ"]
    assert messages == ["9 features, wanted 8 as in train.txt", "5 labels, wanted 4 as in train.txt"]
    assert found.dataset.X_train.shape[1] == found.dataset.X_test.shape[1] == 9


def test_a_leak_names_both_lines(tmp_path):
    train, test = sound_rows(20), sound_rows(10, seed=1)
    test[4], test[6] = train[9], "0 " + train[11].split(" ", 1)[1]
    train[15] = train[3]
    write_rows(tmp_path / "train.txt", train)
    write_rows(tmp_path / "test.txt", test)
    found = check_folder(tmp_path)
    leak = only(found, "leak")
    assert (leak.severity, leak.file, leak.lines) == ("warning", "test.txt", (6, 8))
    assert leak.message == "the same features as line 11 of train.txt, with the same labels"
    assert only(found, "training rows twice").lines == (17,)
    assert not found.errors


def test_labels_and_rows_that_say_nothing(tmp_path):
    train, test = sound_rows(20), sound_rows(10, seed=1)
    train = [row.replace("3 3:", "2 3:") if row.startswith("3 ") else row for row in train]
    train[5], test[1] = "2", " 2:0.123"
    write_rows(tmp_path / "train.txt", train, sizes="8 6")
    write_rows(tmp_path / "test.txt", test, sizes="8 6")
    (tmp_path / "label_names.txt").write_text("a\nb\nc\nd\ne\ne\n")
    found = check_folder(tmp_path)
    assert only(found, "labels never trained").message.endswith("'d'")
    assert only(found, "labels unused").message.startswith("2 of 6 labels occur nowhere: 'e'")
    assert only(found, "no features").lines == (7,)
    assert only(found, "no labels").lines == (3,)
    assert "'e'" in only(found, "names twice").message
    (tmp_path / "label_names.txt").write_text("a\n")
    assert only(check_folder(tmp_path), "names").message == "1 names, wanted 6, one a column"


def test_indices_from_one_are_suspected(tmp_path):
    rows = [f"{1 + i % 3} {1 + i % 5}:1 {6 + i % 3}:{i}.5" for i in range(20)]
    write_rows(tmp_path / "train.txt", rows, sizes="9 4")
    assert "numbered from 1" in kinds(check_folder(tmp_path))


def test_without_a_test_part_one_is_drawn_and_copies_stay_together(tmp_path):
    rows = sound_rows(50)
    write_rows(tmp_path / "train.txt", rows + rows)
    found = check_folder(tmp_path, test_share=0.3)
    assert kinds(found) == {"training rows twice", "no test part"}
    assert found.dataset.X_test.shape[0] == 30
    again = {row.tobytes() for row in found.dataset.X_train.toarray()}
    assert not again & {row.tobytes() for row in found.dataset.X_test.toarray()}
    assert found.used["test_share"] == 0.3


def test_matrices_of_the_folder_form(tmp_path):
    for part, n in (("trn", 12), ("tst", 6)):
        features = [f"{i % 4}:1 {4 + i % 4}:0.{i + 1}{n}" for i in range(n)]
        labels = [f"{i % 3}:1" for i in range(n)]
        if part == "trn":
            features[2], labels[5], labels[7] = "0:1 0:2", "1:0.5", "7:1"
        write_rows(tmp_path / f"{part}_X_Xf.txt", features, sizes="8")
        write_rows(tmp_path / f"{part}_X_Y.txt", labels[: 12 if part == "trn" else 5], sizes="3")
    found = check_folder(tmp_path)
    assert found.form == "matrices"
    assert {(fault.kind, fault.file, fault.lines) for fault in found.errors} == {
        ("index twice", "trn_X_Xf.txt", (4,)),
        ("label value", "trn_X_Y.txt", (7,)),
        ("index out of range", "trn_X_Y.txt", (9,)),
        ("rows differ", "tst_X_Y.txt", ()),
    }
    assert found.dataset.n_train == 9
    (tmp_path / "tst_X_Y.txt").unlink()
    assert "tst_X_Xf.txt stands alone" in only(check_folder(tmp_path), "files").message


def test_npz_matrices_name_their_rows(tmp_path):
    rng = np.random.default_rng(0)
    for part, n in (("trn", 12), ("tst", 6)):
        X = rng.random((n, 5)).astype(np.float32)
        Y = np.eye(3, dtype=np.float32)[np.arange(n) % 3]
        if part == "trn":
            X[3, 1], X[8, 0], Y[5, 2] = np.nan, np.inf, 2
        sparse.save_npz(tmp_path / f"X.{part}.npz", sparse.csr_matrix(X))
        sparse.save_npz(tmp_path / f"Y.{part}.npz", sparse.csr_matrix(Y))
    found = check_folder(tmp_path)
    assert only(found, "value not finite").where == "X.trn.npz, rows 3 and 8"
    assert only(found, "label value").where == "Y.trn.npz, row 5"
    assert found.dataset.n_train == 9
    (tmp_path / "X.trn.npz").write_bytes(b"no zip")
    broken = check_folder(tmp_path)
    assert broken.dataset is None
    assert only(broken, "unreadable").file == "X.trn.npz"


ARFF = "@relation r\n@attribute a numeric\n@attribute b numeric\n@attribute x {0,1}\n@attribute y {0,1}\n@data\n"


def test_arff_goes_on_after_a_broken_row(tmp_path):
    rows = [f"{i}.5,{i % 3},{i % 2},{(i + 1) % 2}" for i in range(12)]
    rows[3], rows[6] = "1,oops,0,1", "1,2,0"
    (tmp_path / "mine.arff").write_text(ARFF + "% a remark\n" + "\n".join(rows) + "\n")
    found = check_folder(tmp_path, arff_labels="-2")
    assert found.form == "arff"
    assert only(found, "malformed line").lines == (11, 14)
    assert found.dataset.label_names == ["x", "y"]
    assert found.dataset.n_train + found.dataset.X_test.shape[0] == 10
    without = check_folder(tmp_path)
    assert "wanted labels= as a number" in without.errors[0].message


def test_fields_of_documents_are_guessed_or_given(tmp_path):
    rows = [{"key": f"k{i}", "body": f"word{i % 7} other{i} third", "tags": [f"t{i % 3}"]} for i in range(40)]
    (tmp_path / "export.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    found = check_folder(tmp_path)
    assert not found.errors
    assert found.used["text_fields"] == ["body"]
    assert found.used["label_field"] == "tags"
    assert found.dataset.label_names == ["t0", "t1", "t2"]
    wrong = check_folder(tmp_path, label_field="tag")
    assert "wanted the labels in 'tag'" in only(wrong, "malformed line").message
    assert wrong.dataset is None


def test_documents_with_planted_mistakes(tmp_path):
    folder = write_faulty_folder(tmp_path / "mine", load("debtags"), n=400)
    found = check_folder(folder)
    counts: dict[str, int] = {}
    for fault in found.faults:
        counts[fault.kind] = counts.get(fault.kind, 0) + fault.count
    assert counts == {
        "malformed line": PLANTED["broken JSON"] + PLANTED["labels as text, not as a list"],
        "no labels": PLANTED["no labels"],
        "no features": PLANTED["empty text"],
        "leak": PLANTED["test documents copied from training"],
        "labels never trained": PLANTED["a label of the test part alone"],
        "training rows twice": PLANTED["training documents twice"],
    }
    assert check_folder(mend(folder)).faults == []


def test_splits_out_of_range_or_overlapping(tmp_path):
    write_rows(tmp_path / "mine_data.txt", sound_rows(20))
    (tmp_path / "mine_trSplit.txt").write_text("\n".join(map(str, range(1, 16))))
    (tmp_path / "mine_tstSplit.txt").write_text("\n".join(map(str, range(16, 22))))
    assert only(check_folder(tmp_path), "split").where == "mine_tstSplit.txt, line 6"
    (tmp_path / "mine_tstSplit.txt").write_text("\n".join(map(str, range(15, 21))))
    assert "row 15" in only(check_folder(tmp_path), "split").message
    (tmp_path / "mine_tstSplit.txt").write_text("\n".join(map(str, range(16, 21))))
    found = check_folder(tmp_path, split=3)
    assert only(found, "option").message == "split=3, wanted 0..0 (the files hold 1)"
    assert (found.dataset.n_train, found.dataset.X_test.shape[0]) == (15, 5)


def test_files_that_are_missing_or_of_no_format(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing to see\n")
    found = check_folder(tmp_path)
    assert (found.form, found.dataset) == (None, None)
    assert only(found, "files").message.startswith("notes.txt: none of the formats; wanted NAME_data.txt")
    (tmp_path / "test.jsonl").write_text("{}\n")
    assert "these are missing: train" in only(check_folder(tmp_path), "files").message
    assert "X.trn.npz" in only(check_folder(tmp_path, form="npz"), "files").message
    with pytest.raises(FileNotFoundError, match="not found"):
        check_folder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="form: found 'csv', wanted one of splits"):
        check_folder(tmp_path, form="csv")
    (tmp_path / "test.jsonl").unlink()
    write_rows(tmp_path / "train.txt.gz", sound_rows(3))  # not gzipped at all
    assert only(check_folder(tmp_path), "unreadable").file == "train.txt.gz"


def test_a_file_alone_and_a_folder_in_a_folder(tmp_path):
    inner = tmp_path / "archive" / "mine"
    inner.mkdir(parents=True)
    write_rows(inner / "my rows.txt", sound_rows(30))
    assert check_folder(tmp_path).form == "repository"
    found = check_folder(inner / "my rows.txt")
    assert found.dataset.n_train == 24


def test_nothing_that_a_file_says_becomes_markup(tmp_path):
    table = faults_table([Fault("leak", "<script>", "<b>.txt", (1,), 1)])
    assert "<script>" not in table
    assert "<b>.txt" not in table
    assert set(KINDS) >= kinds(check_folder(tmp_path))
    assert all(form.wanted and form.needed for form in FORMS.values())


def test_real_sets_have_no_errors(real_data):
    for name in ("bibtex", "delicious"):
        found = check_folder(real_data / name)
        assert not found.errors
        assert found.dataset.n_labels == {"bibtex": 159, "delicious": 983}[name]
