from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_hpo.core.errors import InvalidArgumentError
from mlflow_hpo.core.space import Categorical, Distribution, Fixed, Integer, LogInteger, Real, Space

quick = settings(deadline=None, derandomize=True)  # the first example imports scipy

finite = st.floats(-1e6, 1e6)
reals = st.tuples(finite, finite, st.integers(2, 9)).filter(lambda t: t[0] != t[1])
wholes = st.tuples(st.integers(-1000, 1000), st.integers(1, 1000), st.integers(2, 9))


@quick
@given(reals)
def test_grid_of_a_real_lies_within_its_bounds_and_has_both(drawn):
    low, high, steps = min(drawn[:2]), max(drawn[:2]), drawn[2]
    values = Real(low, high, steps=steps).grid_values()
    assert values == sorted(values)
    assert len(values) == steps
    assert (values[0], values[-1]) == (pytest.approx(low), pytest.approx(high))


@quick
@given(wholes)
def test_grid_of_an_integer_lies_within_its_bounds(drawn):
    low, span, steps = drawn
    values = Integer(low, low + span, steps=steps).grid_values()
    assert values == sorted(set(values))
    assert (values[0], values[-1]) == (low, low + span)
    assert all(type(value) is int for value in values)


@quick
@given(st.floats(1e-8, 1.0), st.floats(1.5, 1e6), st.sampled_from(["uniform", "log"]), st.integers(0, 99))
def test_draws_of_a_real_lie_within_its_bounds(low, factor, prior, seed):
    high = low * factor
    drawn = Real(low, high, prior).distribution().rvs(size=5, random_state=seed)
    assert (drawn >= low * (1 - 1e-9)).all()
    assert (drawn <= high * (1 + 1e-9)).all()


@quick
@given(st.integers(1, 500), st.integers(1, 500), st.sampled_from(["uniform", "log"]), st.integers(0, 99))
def test_draws_of_an_integer_lie_within_its_bounds(low, span, prior, seed):
    distribution = Integer(low, low + span, prior).distribution()
    random = np.random.RandomState(seed)
    assert all(low <= distribution.rvs(random_state=random) <= low + span for _ in range(5))


def test_log_integer_draws_evenly_on_a_log_scale():
    random = np.random.RandomState(0)
    drawn = [LogInteger(1, 1000).rvs(random) for _ in range(3000)]
    assert min(drawn) == 1
    assert np.mean(np.array(drawn) < math.sqrt(1000)) == pytest.approx(0.5, abs=0.1)


@quick
@given(
    st.lists(st.one_of(st.text(max_size=5), st.integers(-9, 9), st.booleans(), st.none()), min_size=1, unique_by=repr)
)
def test_categories_come_back_in_order_and_with_their_types(values):
    space = Categorical(tuple(values))
    assert list(map(repr, space.grid_values())) == list(map(repr, values)) == list(map(repr, space.distribution()))


def test_one_space_serves_all_three_searches():
    space = Space(
        {
            "rate": Real(0.001, 0.1, "log", grid=(0.001, 0.01)),
            "units": Integer(16, 64, "log", steps=3),
            "activation": Categorical(("relu", "tanh")),
            "epochs": Fixed(3),
        }
    )
    assert space.to_grid() == {"rate": [0.001, 0.01], "units": [16, 32, 64], "activation": ["relu", "tanh"]}
    assert space.grid_size() == 12
    assert list(space.to_distributions()) == ["rate", "units", "activation"]
    assert space.to_dimensions() == space.searched
    assert space.fixed == {"epochs": 3}


def test_spaces_and_their_distributions_can_be_pickled():
    space = Space({"a": Integer(1, 9, "log"), "b": Distribution("norm", (0, 1))})
    copy = pickle.loads(pickle.dumps(space))
    assert copy == space
    drawn = pickle.loads(pickle.dumps(space.to_distributions()))["a"].rvs(random_state=0)
    assert drawn == space.to_distributions()["a"].rvs(random_state=0)


def test_bounds_written_as_whole_numbers_make_the_same_real():
    assert Real(0, 1, grid=(1,)) == Real(0.0, 1.0, grid=(1.0,))


def test_a_distribution_serves_a_grid_by_its_values_only():
    assert Distribution("norm", grid=(1, 2)).grid_values() == [1, 2]
    with pytest.raises(InvalidArgumentError, match=r"add the values, such as grid: \[1, 2\]"):
        Distribution("norm").grid_values()


def test_named_arguments_of_a_distribution():
    assert Distribution("uniform", kwargs={"loc": 5, "scale": 1}).distribution().rvs(random_state=0) > 5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Real(0.5, 0.1), r"bounds are reversed: 0.5 is above 0.1; write \[0.1, 0.5\]"),
        (lambda: Real(0.5, 0.5), r"both bounds are 0.5; a value that never changes is \{fixed: 0.5\}"),
        (lambda: Real(0, 1, "log"), "log prior needs bounds above zero; the lower one is 0"),
        (lambda: Real(-1, 1, "log"), "log prior needs bounds above zero"),
        (lambda: Real(math.nan, 1), "bounds are finite numbers; got nan"),
        (lambda: Real(0, math.inf), "bounds are finite numbers; got inf"),
        (lambda: Real("0", 1), "bounds are finite numbers; got '0'"),
        (lambda: Real(False, 1), "bounds are finite numbers; got False"),
        (lambda: Real(-1.7e308, 1.7e308), "too wide"),
        (lambda: Real(0, 1, "lgo"), "prior is one of uniform, log; got 'lgo'. Did you mean 'log'"),
        (lambda: Real(0, 1, grid=()), "grid is an empty list"),
        (lambda: Real(0, 1, grid=(0.5, 0.5)), "grid values hold 0.5 twice"),
        (lambda: Real(0, 1, grid=(2,)), "grid values lie within the bounds, 0 to 1; got 2"),
        (lambda: Real(0, 1, grid=("a",)), "grid values lie within the bounds"),
        (lambda: Real(0, 1, grid=(math.nan,)), "grid values lie within the bounds"),
        (lambda: Real(0, 1, steps=1), "steps is a whole number from 2"),
        (lambda: Real(0, 1, grid=(1,), steps=2), "give grid or steps, not both"),
        (lambda: Real(0, 1).grid_values(), r"cannot try a continuous range; add .* grid: \[0.0, 1.0\].* steps: 3"),
        (lambda: Integer(1, 9).grid_values(), "cannot try a range of integers"),
        (lambda: Integer(1.0, 2), "an integer range takes whole numbers up to 2\\*\\*53; got 1.0"),
        (lambda: Integer(1, 2**60), "whole numbers up to"),
        (lambda: Integer(0, 2, "log"), "log prior needs bounds above zero"),
        (lambda: Integer(1, 4, grid=(1.5,)), "whole numbers"),
        (lambda: Categorical(()), "categories are an empty list"),
        (lambda: Categorical(((1, 2), (3,))), r"a category is a single value .*got \(1, 2\). Give it a name"),
        (lambda: Categorical(([1],)), "a category is a single value"),
        (lambda: Categorical((1, 1)), "categories hold 1 twice"),
        (lambda: Categorical((math.nan,)), "a category cannot be nan"),
        (lambda: Categorical((object(),)), "a category is text, a number, true, false or null"),
        (lambda: Distribution("unform"), "no distribution 'unform'. Did you mean 'uniform'"),
        (lambda: Distribution("test"), "no distribution 'test'"),
        (lambda: Distribution("uniform", (0, -1)), "does not take these arguments"),
        (lambda: Distribution("norm", kwargs={"lco": 1}), "does not take these arguments"),
        (lambda: Space({}), "search space is empty"),
        (lambda: Space({"a": Fixed(1)}), "search space is empty; name at least one parameter that is not fixed"),
        (lambda: Space({"a": Real(0, 1)}).to_grid(), "^a: a grid search cannot try"),
        (lambda: Space({"a": Distribution("norm")}).to_dimensions(), "^a: a Bayesian search cannot model"),
    ],
)
def test_each_mistake_is_worded(make, message):
    with pytest.raises(InvalidArgumentError, match=message):
        make()


def made_or_refused(make):
    try:
        return make()
    except InvalidArgumentError as error:
        return str(error)


@settings(quick, max_examples=200)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner), max_leaves=5))
def test_whatever_is_given_the_answer_is_a_space_or_a_worded_mistake(value):
    for make in (lambda: Real(value, 1), lambda: Real(0, 1, grid=(value,)), lambda: Categorical((value,))):
        answer = made_or_refused(make)
        assert answer == made_or_refused(make)
        assert not isinstance(answer, str) or len(answer) < 400


def test_true_and_one_are_two_categories():
    assert Categorical((True, 1)).grid_values() == [True, 1]
