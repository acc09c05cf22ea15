"""A network's predictor as plain data: what comes back has the same values and types."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn.preprocessing import LabelEncoder, StandardScaler

from mlflow_hpo.tracking.models import loader

CLASSES = {
    "whole numbers": np.array([0, 1, 7]),
    "small whole numbers": np.array([0, 1], dtype="uint8"),
    "broken numbers": np.array([0.1, float("nan")], dtype="float32"),
    "truth values": np.array([False, True]),
    "texts": np.array(["a", "bcd"]),
    "objects": np.array(["a", 3, 2.5], dtype=object),
    "none": None,
}
NOT_PLAIN = {
    "an encoder of features": {"feature_encoder": StandardScaler()},
    "another decoder": {"target_encoder": LabelEncoder()},
    "labels that are objects": {"target_encoder": loader.LabelDecoder("multiclass", np.array([object()]), ())},
    "labels that are dates": {"target_encoder": loader.LabelDecoder("binary", np.array(["2020"], "datetime64[D]"), ())},
}


def through_json(predictor: Any) -> Any:
    return loader.predictor_from(json.loads(json.dumps(loader.plain_predictor(predictor))))


@pytest.mark.parametrize("name", CLASSES)
def test_labels_come_back_with_their_type(name: str) -> None:
    classes = CLASSES[name]
    predictor = loader.NetworkPredictor(0, "classifier", None, loader.LabelDecoder("multiclass", classes, (2, 1)), 16)
    again = through_json(predictor)
    assert isinstance(again, loader.NetworkPredictor)
    assert (again.index, again.kind, again.feature_encoder, again.batch_size) == (0, "classifier", None, 16)
    assert again.target_encoder.row_shape == (2, 1)
    assert_same(again.target_encoder.classes, classes)


def test_what_was_learnt_comes_back_with_its_type() -> None:
    learnt = {
        "classes_": [np.array([0, 1]), np.array(["a", "b"])],
        "n_classes_": np.int64(2),
        "n_features_in_": 3,
        "feature_names_in_": np.array(["x", "y", "z"], dtype=object),
    }
    predictor = loader.NetworkPredictor(0)
    vars(predictor).update(learnt)
    again = through_json(predictor)
    assert again.target_encoder is None
    for name, value in learnt.items():
        found = getattr(again, name)
        assert type(found) is type(value)
        for one, other in zip(found, value, strict=True) if isinstance(value, list) else [(found, value)]:
            assert_same(one, other)


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_what_is_more_than_that_is_told(name: str) -> None:
    assert loader.plain_predictor(loader.NetworkPredictor(0, "classifier", **NOT_PLAIN[name])) is None


def assert_same(found: Any, expected: Any) -> None:
    assert type(found) is type(expected)
    if isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
        assert list(map(type, found.tolist())) == list(map(type, expected.tolist()))
    else:
        assert found == expected
