from __future__ import annotations

import functools

import pytest

from mlflow_hpo.core.errors import InvalidArgumentError
from mlflow_hpo.keras._parameters import FunctionArguments, adopt, check_names, passed


def create(units, learning_rate=0.01, optimizer="adam", loss=None, meta=None, *, flag=False):
    raise NotImplementedError


OWN = {"optimizer": "rmsprop", "loss": None, "epochs": 1}


def test_arguments_leave_out_what_scikeras_fills_in():
    arguments = FunctionArguments.of(create)
    assert set(arguments.defaults) == {"units", "learning_rate", "optimizer", "loss", "flag"}
    assert not arguments.anything


def test_defaults_are_adopted_unless_given():
    assert adopt(create, {"learning_rate": 0.5}, OWN) == {"optimizer": "adam", "flag": False}


def test_partial_arguments_are_adopted():
    assert adopt(functools.partial(create, learning_rate=0.3), {}, OWN)["learning_rate"] == 0.3


def test_nothing_is_adopted_from_what_is_no_function():
    assert adopt("adam", {}, OWN) == {}
    assert not FunctionArguments.of(object()).known


def test_function_gets_shared_names_but_decides_on_none_itself():
    values = {"units": 3, "learning_rate": 0.1, "optimizer": "sgd", "loss": None, "flag": True, "epochs": 5}
    assert passed(create, values, OWN, (), ()) == {"units", "learning_rate", "optimizer", "flag"}
    assert "loss" in passed(create, {**values, "loss": "mse"}, OWN, (), ())


def test_function_with_kwargs_gets_what_keras_does_not_take():
    def open_ended(**kwargs):
        raise NotImplementedError

    names = passed(
        open_ended, {"units": 1, "validation_freq": 2}, OWN, {"units", "validation_freq"}, {"validation_freq"}
    )
    assert names == {"units"}


def test_all_unknown_names_are_told_at_once_with_hints():
    with pytest.raises(InvalidArgumentError, match=r"(?s)'learning_rat', 'unit'.*create\(\).*'learning_rate'.*'units'"):
        check_names(["learning_rat", "unit", "epochs"], create, OWN, {"model"}, "KerasClassifier")


def test_routed_names_pass():
    check_names(["model__units", "optimizer__learning_rate"], create, OWN, {"model", "optimizer"}, "KerasClassifier")
    with pytest.raises(InvalidArgumentError):
        check_names(["modl__units"], create, OWN, {"model", "optimizer"}, "KerasClassifier")
