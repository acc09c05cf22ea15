from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest

from mlflow_hpo.core.errors import StudyFileError
from mlflow_hpo.project.prepare._data import load_samples
from mlflow_hpo.project.study_file import load_study_file

CSV = "a,b,site,y\n" + "".join(f"{i},{'xyz'[i % 3]},{i % 4},{i % 2}\n" for i in range(12))


def samples(folder, **replaced):
    return load_samples(load_study_file(folder.study(**replaced)))


def test_a_csv_gives_its_other_columns_as_features(folder):
    folder.write("d.csv", CSV)
    loaded = samples(folder, data="{csv: d.csv, target: y}")
    assert list(loaded.X.columns) == ["a", "b", "site"]
    assert loaded.y.tolist() == [0, 1] * 6
    assert loaded.groups is None


def test_groups_are_no_features(folder):
    folder.write("d.csv", CSV)
    loaded = samples(folder, data="{csv: d.csv, target: y}", cv="{groups: site, folds: 2}")
    assert list(loaded.X.columns) == ["a", "b"]
    assert loaded.groups.tolist() == [0, 1, 2, 3] * 3


def test_features_named_or_dropped(folder):
    folder.write("d.csv", CSV)
    assert list(samples(folder, data="{csv: d.csv, target: y, features: [b, a]}").X.columns) == ["b", "a"]
    assert list(samples(folder, data="{csv: d.csv, target: y, drop: b}").X.columns) == ["a", "site"]


def test_another_separator(folder):
    folder.write("d.csv", CSV.replace(",", ";"))
    assert samples(folder, data="{csv: d.csv, target: y, separator: ';'}").X.shape == (12, 3)


def test_text_targets(folder):
    folder.write("d.csv", CSV)
    loaded = samples(folder, data="{csv: d.csv, target: b}")
    assert loaded.y.dtype == object
    assert loaded.y[0] == "x"


def test_parquet(folder):
    frame = pd.DataFrame({"a": [1.0, 2, 3, 4], "y": pd.Categorical(["u", "v", "u", "v"])})
    frame.to_parquet(folder.path / "d.parquet")
    loaded = samples(folder, data="{parquet: d.parquet, target: y}")
    assert loaded.y.tolist() == ["u", "v", "u", "v"]


def test_npz_of_images(folder):
    np.savez(folder.path / "d.npz", images=np.zeros((6, 4, 4)), label=[0, 1] * 3, patient=[1, 1, 2, 2, 3, 3])
    loaded = samples(folder, data="{npz: d.npz, target: label}", cv="{groups: patient, folds: 2}")
    assert loaded.X.shape == (6, 4, 4)
    assert loaded.groups.tolist() == [1, 1, 2, 2, 3, 3]


def test_loader_functions_with_arguments(folder):
    folder.write(
        "load.py", "import numpy as np\ndef load(rows=2):\n    return np.zeros((rows, 1)), np.arange(rows) % 2\n"
    )
    assert samples(folder, data="{loader: 'load.py:load', args: {rows: 8}}").X.shape == (8, 1)


def test_paths_resolve_against_the_study_file(folder, monkeypatch):
    folder.write("data/d.csv", CSV)
    monkeypatch.chdir("/")
    assert samples(folder, data="{csv: data/d.csv, target: y}").X.shape == (12, 3)
    assert samples(folder, data=f"{{csv: {folder.path}/data/d.csv, target: y}}").X.shape == (12, 3)


def test_one_hot_and_multilabel_targets_are_taken(folder):
    folder.write(
        "load.py", "import numpy as np\ndef load():\n    return np.zeros((9, 2)), np.eye(3)[np.arange(9) % 3]\n"
    )
    assert samples(folder, data="{loader: 'load.py:load'}").y.shape == (9, 3)


LOADERS = """
import numpy as np
X = np.zeros((4, 2))
def one(): return X
def uneven(): return X, [0, 1]
def uneven_groups(): return X, np.array([0, 1, 0, 1]), [1]
def broken(): raise OSError("no such bucket")
def needs(rows): return X, X
def scalar(): return 3, np.array([0, 1])
def tiny(): return X[:1], np.array([1])
def mixed(): return X, np.array([1, "a", None, 2.5], dtype=object)
"""

MISTAKES = [
    ({"data": "{sklearn: digts}"}, r"data.sklearn: is one of breast_cancer, .*; got 'digts'. Did you mean 'digits'\?"),
    ({"data": "{csv: none.csv, target: y}"}, r"data.csv: /.*none\.csv does not exist"),
    ({"data": "{csv: ., target: y}"}, "data.csv: .* is a directory; name a file in it"),
    ({"data": "{csv: 'https://u:secret@host/d.csv?token=1', target: y}"}, "names a file, not an address"),
    ({"data": "{csv: d.csv, target: Y}"}, r"data.target: there is no 'Y' in the data.* There are: a, b, site, y"),
    (
        {"data": "{csv: d.csv, target: y, features: [a, sit]}"},
        "data.features: there is no 'sit' .* Did you mean 'site'",
    ),
    ({"data": "{csv: d.csv, target: y, features: [a, y]}"}, "data.features: name the target 'y', which is not known"),
    ({"data": "{csv: d.csv, target: y, drop: [c]}"}, "data.drop: there is no 'c' in the data"),
    ({"data": "{csv: d.csv, target: y, drop: [a, b, site]}"}, "data: no column is left to predict from"),
    ({"data": "{csv: d.csv, target: y}", "cv": "{groups: sit}"}, "cv.groups: there is no 'sit' in the data"),
    ({"data": "{csv: twice.csv, target: y}"}, "data.csv: .* has a twice in its header"),
    ({"data": "{csv: gap.csv, target: y}"}, "data.target: 1 of 4 targets are missing, the first in row 3"),
    ({"data": "{csv: gap.csv, target: empty}"}, "data.target: has no value at all"),
    ({"data": "{csv: gap.csv, target: y2}", "cv": "{groups: y}"}, "cv.groups: 1 rows of 'y' have no group"),
    (
        {"data": "{csv: nothing.csv, target: y}"},
        "data.csv: .* is no csv file that can be read: EmptyDataError: No columns",
    ),
    ({"data": "{csv: bytes.npz, target: y}"}, "data.csv: .* is no csv file that can be read"),
    ({"data": "{parquet: d.csv, target: y}"}, "data.parquet: .* is no parquet file that can be read"),
    ({"data": "{npz: d.csv, target: y}"}, "data.npz: .* is no npz file that can be read"),
    ({"data": "{npz: objects.npz, target: y}"}, "data.npz: .* Object arrays cannot be loaded"),
    ({"data": "{npz: one.npy, target: y}"}, "data.npz: .* it holds one array without a name"),
    ({"data": "{npz: two.npz, target: y}"}, "data: say which array holds the features, .* There are: a, b"),
    ({"data": "{npz: two.npz, target: z}"}, "data.target: there is no 'z' in the data"),
    ({"data": "{npz: two.npz, target: y, features: y}"}, "data.features: name the target 'y'"),
    ({"data": "{csv: reals.csv, target: y}"}, "data.target: holds real numbers, and the task is classification"),
    ({"data": "{csv: d.csv, target: b}", "task": "regression"}, "data.target: holds other than numbers"),
    ({"data": "{csv: reals.csv, target: inf}", "task": "regression"}, "data.target: holds infinite values"),
    ({"data": "{csv: reals.csv, target: same}"}, "data.target: holds one class only"),
    ({"data": "{loader: 'load.py:one'}"}, r"data.loader: a loader returns \(X, y\) or \(X, y, groups\); got ndarray"),
    ({"data": "{loader: 'load.py:uneven'}"}, "data.loader: X has 4 rows, and y has 2"),
    ({"data": "{loader: 'load.py:uneven_groups'}"}, "data.loader: X has 4 rows, and groups has 1"),
    ({"data": "{loader: 'load.py:broken'}"}, "data.loader: the loader failed: OSError: no such bucket"),
    ({"data": "{loader: 'load.py:needs'}"}, "data.loader: the loader failed: TypeError: needs.. missing 1 required"),
    ({"data": "{loader: 'load.py:nedes'}"}, r"data.loader: 'nedes' is not there in load.py. Did you mean 'needs'\?"),
    ({"data": "{loader: 'load.py:X'}"}, "'X' is no function in load.py"),
    ({"data": "{loader: 'load.py:scalar'}"}, "data.loader: is no array: int"),
    ({"data": "{loader: 'load.py:tiny'}"}, "data.loader: has 1 rows; a search needs more"),
    ({"data": "{loader: 'load.py:mixed'}"}, "data.loader: 1 of 4 targets are missing, the first in row 3"),
]


@pytest.mark.parametrize(("replaced", "message"), MISTAKES, ids=[message[:40] for _, message in MISTAKES])
def test_each_mistake_is_worded(folder, replaced, message):
    folder.write("d.csv", CSV)
    folder.write("twice.csv", "a,a,y\n1,2,0\n")
    folder.write("gap.csv", "a,y,y2,empty\n1,0,1,\n2,1,1,\n3,,0,\n4,1,0,\n")
    folder.write("nothing.csv", "")
    folder.write("reals.csv", "a,y,inf,same\n1,0.5,1,2\n2,1.5,inf,2\n3,2.5,1,2\n")
    folder.write("load.py", LOADERS)
    np.savez(folder.path / "objects.npz", a=np.array([{}, {}]), y=[0, 1])
    np.savez(folder.path / "two.npz", a=[[1], [2]], b=[[1], [2]], y=[0, 1])
    np.save(folder.path / "one.npy", [1, 2])
    (folder.path / "bytes.npz").write_bytes(os.urandom(200))
    with pytest.raises(StudyFileError, match=message) as raised:
        samples(folder, **replaced)
    assert "study.yaml, line " in str(raised.value)
    assert "secret" not in str(raised.value)
