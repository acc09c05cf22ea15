"""The fast surrogate is scikit-optimize's own model, equal to rounding, and what its memory holds changes no study."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import skopt
from mlflow import MlflowClient
from sklearn.base import clone
from sklearn.linear_model import Ridge
from skopt.learning import GaussianProcessRegressor
from skopt.learning.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel
from skopt.space import Categorical, Integer, Real
from skopt.utils import cook_estimator, normalize_dimensions
from threadpoolctl import threadpool_limits

from mlflow_hpo import BayesSearchCV, GPSearchCV, gp_minimize
from mlflow_hpo.core.errors import InvalidArgumentError
from mlflow_hpo.search.gp import FastGaussianProcessRegressor, FitMemory, fast_gp

MIXED = [Real(1e-3, 1.0, "log-uniform", name="rate"), Integer(1, 500, name="depth"), Categorical("abc", name="kind")]

# scikit-optimize silences this one in a study, and its own points again in a space of few.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:The objective has been evaluated:UserWarning"),
]


@pytest.fixture(autouse=True)
def _one_blas_thread() -> Iterator[None]:
    # scikit-optimize's own process, which ours is compared with, crawls on several threads of a busy machine.
    with threadpool_limits(1, "blas"):
        yield


def cost(point: list[Any]) -> float:
    rate, depth, kind = point
    return float((np.log10(rate) + 1) ** 2 + depth / 100 + (kind == "a"))


def observations(n_samples: int, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(n_samples)
    X = random.uniform(size=(n_samples, 3))
    return X, 50 + 7 * np.sin(5 * X[:, 0]) * X[:, 1] + noise * random.normal(size=n_samples)


def of_library(**settings: Any) -> GaussianProcessRegressor:
    library = cook_estimator("GP", space=normalize_dimensions([(0.0, 1.0)] * 3), random_state=0)
    return library.set_params(**settings)


def fast(library: GaussianProcessRegressor, **settings: Any) -> FastGaussianProcessRegressor:
    return FastGaussianProcessRegressor(**clone(library).get_params(deep=False), **settings)


KERNELS = {
    "fitted": None,
    "noise fixed": ConstantKernel(2.0, (0.1, 10.0)) * Matern([1.0] * 3, nu=2.5) + WhiteKernel(0.2, "fixed"),
    "amplitude fixed": ConstantKernel(2.0, "fixed") * Matern([1.0] * 3, nu=2.5) + WhiteKernel(),
    "length scales fixed": ConstantKernel() * Matern([0.5, 1.0, 2.0], "fixed", nu=2.5) + WhiteKernel(),
    "without noise": ConstantKernel() * Matern([1.0] * 3, nu=2.5),
    "one length scale": ConstantKernel() * Matern(1.0, nu=2.5) + WhiteKernel(),
    "another Matern": ConstantKernel() * Matern([1.0] * 3, nu=1.5) + WhiteKernel(),
    "another kernel": ConstantKernel() * RBF([1.0] * 3) + WhiteKernel(),
}


@pytest.mark.parametrize("name", KERNELS)
def test_same_optimum_predictions_and_gradients(name: str) -> None:
    X, y = observations(25)
    kernel = KERNELS[name]
    library = of_library() if kernel is None else of_library(kernel=kernel, noise=None, n_restarts_optimizer=1)
    ours = fast(library).fit(X, y)
    library.fit(X, y)
    assert ours.log_marginal_likelihood_value_ == pytest.approx(library.log_marginal_likelihood_value_, rel=1e-9)
    # scikit-optimize takes the noise out of a fitted kernel: its logarithm is that of zero.
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(ours.kernel_.theta, library.kernel_.theta, rtol=1e-4, atol=1e-4)
    points = np.random.default_rng(0).uniform(size=(300, 3))
    for asked in ({}, {"return_std": True}, {"return_cov": True}):
        _assert_close(ours.predict(points, **asked), library.predict(points, **asked))
    for point in points[:5, np.newaxis]:
        asked = {"return_std": True, "return_mean_grad": True, "return_std_grad": True}
        _assert_close(ours.predict(point, **asked), library.predict(point, **asked))
        del asked["return_std_grad"]
        _assert_close(ours.predict(point, **asked), library.predict(point, **asked))


def _assert_close(ours: Any, expected: Any) -> None:
    pairs = [(ours, expected)] if isinstance(expected, np.ndarray) else zip(ours, expected, strict=True)
    for value, other in pairs:
        assert value.shape == other.shape
        np.testing.assert_allclose(value, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("n_samples", [1, 2, 12])
def test_one_feature_and_few_observations(n_samples: int) -> None:
    X, y = observations(n_samples)
    library = cook_estimator("GP", space=normalize_dimensions([(0.0, 1.0)]), random_state=0)
    ours = fast(library).fit(X[:, :1], y)
    library.fit(X[:, :1], y)
    assert ours._posterior is not None
    points = np.linspace(0, 1, 40)[:, np.newaxis]
    _assert_close(ours.predict(points, True), library.predict(points, True))


@pytest.mark.parametrize("n_samples", [2, 30, 120])
def test_equal_to_rounding_at_equal_hyperparameters(n_samples: int) -> None:
    X, y = observations(n_samples)
    kernel = ConstantKernel(3.0) * Matern([0.7, 1.3, 40.0], nu=2.5) + WhiteKernel(1e-3)
    library = of_library(kernel=kernel, optimizer=None).fit(X, y)
    ours = fast(library).fit(X, y)
    points = np.random.default_rng(0).uniform(size=(5_000, 3))
    (mean, std), (expected_mean, expected_std) = ours.predict(points, True), library.predict(points, True)
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-11)
    # A small variance is the difference of large ones: rounding is relative to these.
    np.testing.assert_allclose(std**2, expected_std**2, rtol=1e-11, atol=1e-10 * np.var(y))
    grads = [model.predict(points[:1], True, False, True, True) for model in (ours, library)]
    for value, other in zip(*grads, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-7, atol=1e-7)


def test_likelihood_and_gradient_are_scikit_learns() -> None:
    X, y = observations(30)
    seen: list[tuple[float, np.ndarray]] = []
    theta = np.log([2.0, 0.5, 1.5, 3.0, 1e-2])

    def optimizer(objective: Any, initial: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, float]:
        value, gradient = objective(theta)
        seen.append((value, gradient))
        return theta, value

    for model in (of_library(n_restarts_optimizer=0), fast(of_library(n_restarts_optimizer=0))):
        model.set_params(optimizer=optimizer).fit(X, y)
    (expected, expected_gradient), (value, gradient) = seen
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-10, atol=1e-10)


def test_a_covariance_that_is_not_positive_definite_has_no_likelihood() -> None:
    X = np.zeros((4, 3))
    kernel = ConstantKernel() * Matern([1.0] * 3, nu=2.5)
    ours = FastGaussianProcessRegressor(kernel, alpha=0.0)
    with pytest.raises(np.linalg.LinAlgError):
        ours.fit(X, np.arange(4.0))


def test_at_an_observation_without_noise_the_deviation_is_scikit_optimizes() -> None:
    X, y = observations(10, noise=0.0)
    library = of_library(kernel=ConstantKernel(1.0) * Matern([1.0] * 3, nu=2.5), noise=None, optimizer=None).fit(X, y)
    asked = {"return_std": True, "return_mean_grad": True, "return_std_grad": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = fast(library).fit(X, y).predict(X[:1], **asked)
        _assert_close(ours[:3], library.predict(X[:1], **asked)[:3])
    assert np.isfinite(ours[3]).all()


def test_several_outputs_fall_back_to_the_library() -> None:
    X, y = observations(12)
    ours = FastGaussianProcessRegressor(ConstantKernel() * Matern([1.0] * 3, nu=2.5)).fit(X, np.stack([y, -y], axis=1))
    assert ours.predict(X).shape == (12, 2)


@pytest.mark.parametrize("bad", [np.full((1, 3), np.nan), np.zeros(3), np.zeros((0, 3))])
def test_predict_refuses_what_scikit_optimize_refuses(bad: np.ndarray) -> None:
    ours = fast(of_library(n_restarts_optimizer=0)).fit(*observations(5))
    with pytest.raises(ValueError, match=r"NaN|2D array|minimum of 1"):
        ours.predict(bad, return_std=True)


def test_one_memory_for_all_clones_and_none_in_a_pickle() -> None:
    surrogate = fast_gp([(0.0, 1.0)] * 3, random_state=0)
    assert clone(clone(surrogate)).memory is surrogate.memory
    clone(surrogate).fit(*observations(8))
    assert surrogate.memory.recall_fit(*_grown(8)) is not None
    for copied in (pickle.loads(pickle.dumps(surrogate)), copy.deepcopy(surrogate)):
        assert copied.memory is not surrogate.memory
        assert copied.memory.recall_fit(*_grown(8)) is None


def _grown(n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    X, y = observations(n_samples)
    return np.vstack([X, X[:1] + 0.1]), np.append(y, 0.0)


def test_only_fits_to_the_first_rows_of_the_same_data_are_recalled() -> None:
    memory = FitMemory(max_fits=2)
    X, y = observations(8)
    memory.keep_fit(X[:5], y[:5], np.array([5.0]))
    memory.keep_fit(X[:3], y[:3], np.array([3.0]))
    assert memory.recall_fit(X, y) == [5.0]
    assert memory.recall_fit(X[:5], y[:5]) == [3.0]
    assert memory.recall_fit(X, y + 1) is None
    memory.keep_fit(X[:4], y[:4], np.array([4.0]))
    assert memory.recall_fit(X, y) == [4.0]


def test_points_just_predicted_are_not_predicted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = clone(fast_gp([(0.0, 1.0)] * 3, random_state=0)).fit(*observations(8))
    points = np.random.default_rng(0).uniform(size=(50, 3))
    first = ours.predict(points, return_std=True)
    expected = [values.copy() for values in first]
    first[0][:] = 0.0
    with monkeypatch.context() as patched:
        patched.setattr(type(ours._posterior), "mean_and_variance", None)
        for again, value in zip(ours.predict(points, return_std=True), expected, strict=True):
            np.testing.assert_array_equal(again, value)
    points[0] += 0.1
    assert ours.predict(points, return_std=True)[0][0] != expected[0][0]
    other = clone(ours).fit(*observations(9))
    assert not np.array_equal(other.predict(points, return_std=True)[0], expected[0])


def test_one_prediction_of_the_candidates_serves_gp_hedge(monkeypatch: pytest.MonkeyPatch) -> None:
    predicted: list[int] = []
    surrogate = fast_gp(MIXED, random_state=0)
    keep = FitMemory.keep_prediction
    monkeypatch.setattr(FitMemory, "keep_prediction", lambda *args: predicted.append(len(args[2])) or keep(*args))
    skopt.gp_minimize(
        cost, MIXED, base_estimator=surrogate, n_calls=7, n_initial_points=5, n_points=500, random_state=0
    )
    assert predicted == [500] * 3


def test_without_memory_the_same_points_as_scikit_optimizes() -> None:
    calls = {"n_calls": 9, "n_initial_points": 6, "random_state": 0, "n_points": 500}
    expected = skopt.gp_minimize(cost, MIXED, **calls)
    seed = np.random.RandomState(0)
    surrogate = fast_gp(MIXED, random_state=seed.randint(np.iinfo(np.int32).max), n_restarts_optimizer=2)
    surrogate.memory = None
    result = skopt.gp_minimize(cost, MIXED, base_estimator=surrogate, **{**calls, "random_state": seed})
    for point, other in zip(result.x_iters, expected.x_iters, strict=True):
        assert point[1:] == other[1:]
        assert point[0] == pytest.approx(other[0], rel=1e-3)


def test_one_setting_same_initial_points_and_the_same_study_for_a_seed(store: MlflowClient) -> None:
    calls = {"n_calls": 9, "n_initial_points": 6, "random_state": 0, "n_points": 500}
    result = gp_minimize(cost, MIXED, base_estimator="fast-gp", **calls)
    assert isinstance(result.models[-1], FastGaussianProcessRegressor)
    assert result.x_iters == gp_minimize(cost, MIXED, "fast-gp", tracking=False, **calls).x_iters
    assert result.x_iters[:6] == skopt.gp_minimize(cost, MIXED, **{**calls, "n_calls": 6}).x_iters
    params = store.get_run(result.study.run_id).data.params
    assert params["search.base_estimator"] == "'fast-gp'"
    assert params["search.random_state"] == "0"


def test_a_surrogate_used_twice_gives_the_same_study_twice() -> None:
    surrogate = fast_gp(MIXED, random_state=0)
    calls = {
        "base_estimator": surrogate,
        "n_calls": 10,
        "n_initial_points": 6,
        "random_state": 0,
        "n_points": 500,
        "tracking": False,
    }
    assert gp_minimize(cost, MIXED, **calls).x_iters == gp_minimize(cost, MIXED, **calls).x_iters


@pytest.mark.parametrize(
    "dimensions",
    [[(0.0, 1.0)], [(1, 9), (2, 30)], [["a", "b", "c"], ["x", "y", "z", "w"]], [*MIXED, (0.0, 1.0)]],
    ids=["real", "integers", "categories only", "mixed"],
)
def test_every_kind_of_space(dimensions: list[Any]) -> None:
    values = iter(np.random.default_rng(0).uniform(size=8))
    result = gp_minimize(
        lambda point: float(next(values)),
        dimensions,
        base_estimator="fast-gp",
        n_calls=8,
        n_initial_points=5,
        n_points=500,
        random_state=1,
        tracking=False,
    )
    assert len(result.x_iters) == 8


def test_noise_is_passed_on() -> None:
    result = gp_minimize(
        cost, MIXED, "fast-gp", n_calls=5, n_initial_points=5, noise=1e-4, random_state=0, tracking=False
    )
    assert result.models[0].noise_ == 1e-4


def test_per_second_acquisition_keeps_cost_and_time_apart() -> None:
    result = gp_minimize(
        lambda point: (cost(point), 1.0 + point[1]),
        MIXED,
        "fast-gp",
        acq_func="EIps",
        n_calls=8,
        n_initial_points=6,
        n_points=500,
        random_state=0,
        tracking=False,
    )
    assert len(result.x_iters) == 8


def test_in_both_searches_over_estimators() -> None:
    X, y = observations(20)
    options = {"scoring": "neg_mean_squared_error", "cv": 2, "random_state": 0, "tracking": False}
    search = GPSearchCV(
        Ridge(),
        {"alpha": Real(1e-3, 10.0)},
        n_calls=8,
        n_initial_points=6,
        gp_options={"base_estimator": "fast-gp", "n_points": 500},
        **options,
    ).fit(X, y)
    assert isinstance(search.optimize_result_.models[-1], FastGaussianProcessRegressor)
    space = {"alpha": Real(1e-3, 10.0)}
    surrogate = {
        "base_estimator": fast_gp(space, random_state=0),
        "n_initial_points": 4,
        "acq_optimizer_kwargs": {"n_points": 500},
    }
    searched = BayesSearchCV(Ridge(), space, n_iter=8, n_points=2, optimizer_kwargs=surrogate, **options).fit(X, y)
    assert isinstance(searched.optimizer_results_[0].models[-1], FastGaussianProcessRegressor)


def test_an_unknown_surrogate_is_named() -> None:
    with pytest.raises(InvalidArgumentError, match="Did you mean 'fast-gp'"):
        gp_minimize(cost, MIXED, base_estimator="fast_gp", tracking=False)
