"""Digests across processes, and of functions by their code: which edit counts and which does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from digests_processes import Project

MODEL = '''
    """A model."""
    import logging
    import dataclasses
    import functools
    import numpy as np
    from layers import dense
    import helpers
    import pkg.sub

    LOG = logging.getLogger(__name__)
    UNITS = 3
    MISSING = object()

    def create_model(units=UNITS, *, name=MISSING):
        """Create it."""
        LOG.info("here")
        return dense(units) + np.mean(UNITS)

    def through_module():
        return helpers.layer(1)

    def through_package():
        return pkg.sub.f(2)

    def imports_inside():
        from helpers import layer
        import pkg.other as other
        return layer(other)

    def unrelated():
        return 1

    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    def make(rate):
        def scale(x):
            return rate * x
        return scale

    class Base:
        factor = 2

        def scaled(self, x):
            return self.factor * x

    class Net(Base):
        """A net."""

        def __init__(self, width):
            self.width = width

        @property
        def wide(self):
            return self.width > 3

        @classmethod
        def default(cls):
            return cls(UNITS)

        @functools.cached_property
        def weights(self):
            return dense(self.width)

        def copy(self):
            return Net(self.width)

    @dataclasses.dataclass(frozen=True)
    class Plan:
        rate: float = 0.1

        def again(self):
            return Plan(self.rate)

    @functools.lru_cache
    def remembered(n):
        return dense(n)

    squares = {"a": lambda x: x ** 2, "b": lambda x: x in {"p", "q"}}
'''
PARTS = [
    "create_model",
    "through_module",
    "through_package",
    "imports_inside",
    "unrelated",
    "even",
    "odd",
    "{even,odd}",
]
PARTS += ["make(1)", "make(2)", "Net", "Net(1)", "Net(2)", "Net(1).scaled", "Plan", "Plan()", "remembered", "squares"]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return written(tmp_path)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digests before any edit; they do not depend on the folder."""
    return parts(written(tmp_path_factory.mktemp("untouched")), seed=1)


def written(folder: Path) -> Project:
    project = Project(folder)
    project.write("model.py", MODEL)
    project.write("layers.py", "def dense(n):\n    return activation(n)\n\ndef activation(n):\n    return n\n")
    project.write("helpers.py", "from deep import A\n\ndef layer(n):\n    return n * A\n")
    project.write("deep.py", "A = 1\n")
    project.write("pkg/__init__.py", "")
    project.write("pkg/sub.py", "from . import base\n\ndef f(n):\n    return base.g(n)\n")
    project.write("pkg/base.py", "from .other import B\n\ndef g(n):\n    return n\n")
    project.write("pkg/other.py", "import pkg.base\n\nB = 1\n")
    return project


def parts(project: Project, seed: int = 0) -> dict[str, str]:
    """Return the digest of each part of the model's module."""
    printed = project.run(f"from model import *\nfor part in {PARTS}: print(digest(eval(part)))", seed=seed)
    return dict(zip(PARTS, printed.split(), strict=True))


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {part for part in before if before[part] != after[part]}


def test_all_is_told_apart_and_the_same_in_every_process(project: Project, before: dict[str, str]) -> None:
    assert parts(project, seed=2) == before
    assert len(set(before.values())) == len(before)


def test_how_code_is_written_does_not_count(project: Project, before: dict[str, str]) -> None:
    project.edit("model.py", '"""Create it."""', "# A comment,\n\n    # and no docstring.")
    project.edit("model.py", '"""A net."""', '"""A network, in other words."""')
    project.edit("model.py", "def unrelated():", "def unrelated():\n    '''Newly described.'''")
    project.edit("layers.py", "def dense", "# Moved down.\n\n\ndef dense")
    project.edit("helpers.py", "from deep", '"""Described."""\n\nfrom deep')
    project.edit("pkg/other.py", "B = 1", "# B\nB = 1")
    assert changed(before, parts(project)) == set()


DENSE = {"create_model", "Net", "Net(1)", "Net(2)", "Net(1).scaled", "remembered"}


@pytest.mark.parametrize(
    ("file", "old", "new", "hit"),
    [
        ("model.py", "return 1\n", "return 2\n", {"unrelated"}),
        ("model.py", "np.mean(UNITS)", "np.mean(UNITS + 1)", {"create_model"}),
        ("model.py", "np.mean(UNITS)", "np.max(UNITS)", {"create_model"}),
        ("model.py", "UNITS = 3", "UNITS = 4", {"create_model", "Net", "Net(1)", "Net(2)", "Net(1).scaled"}),
        ("model.py", "n != 0", "n != 1", {"even", "odd", "{even,odd}"}),
        ("model.py", "factor = 2", "factor = 3", {"Net", "Net(1)", "Net(2)", "Net(1).scaled"}),
        ("model.py", "self.width > 3", "self.width > 4", {"Net", "Net(1)", "Net(2)", "Net(1).scaled"}),
        ("model.py", "rate * x", "rate + x", {"make(1)", "make(2)"}),
        ("model.py", "float = 0.1", "float = 0.2", {"Plan", "Plan()"}),
        ("model.py", "x ** 2", "x ** 3", {"squares"}),
        ("layers.py", "activation(n)\n\n", "activation(n + 1)\n\n", DENSE),
        ("layers.py", "return n\n", "return -n\n", DENSE),
        ("helpers.py", "n * A", "n + A", {"through_module", "imports_inside"}),
        ("deep.py", "A = 1", "A = 2", {"through_module", "imports_inside"}),
        ("pkg/base.py", "return n", "return -n", {"through_package", "imports_inside"}),
        ("pkg/sub.py", "g(n)", "g(n + 1)", {"through_package"}),
        ("pkg/other.py", "B = 1", "B = 2", {"through_package", "imports_inside"}),
    ],
)
def test_an_edit_changes_what_depends_on_it(
    project: Project, before: dict[str, str], file: str, old: str, new: str, hit: set[str]
) -> None:
    project.edit(file, old, new)
    assert changed(before, parts(project)) == hit


def test_what_was_imported_before_does_not_matter(project: Project) -> None:
    plain = project.digest("imports_inside", "from model import imports_inside")
    late = project.digest("imports_inside", "import helpers, pkg.base, xml, sklearn\nfrom model import imports_inside")
    assert plain == late


def test_digesting_imports_nothing(project: Project) -> None:
    project.write("lazy.py", "def f():\n    import loud.part\n")
    project.write("loud/__init__.py", "raise SystemExit(3)")
    project.write("loud/part.py", "")
    assert project.digest("f", "from lazy import f") == project.digest("f", "from lazy import f")


def test_a_script_and_a_module_digest_alike(project: Project) -> None:
    source = "C = 1\ndef helper(): return C\ndef f(): return helper()\n"
    project.write("module.py", source)
    assert project.digest("f", source) == project.digest("f", "from module import f")
    assert project.digest("f", source) != project.digest("f", source.replace("C = 1", "C = 2"))


def test_a_name_made_of_the_content_does_not_count(project: Project) -> None:
    source = "import logging\nLOG = logging.getLogger(__name__)\nclass A: pass\ndef f(): return LOG, A, __file__\n"
    project.write("model_1.py", source)
    project.write("model_2.py", source + "# edited\n")
    assert project.digest("[f, A()]", "from model_1 import f, A") == project.digest(
        "[f, A()]", "from model_2 import f, A"
    )


def test_what_travels_by_value_keeps_its_digest(project: Project) -> None:
    project.write(
        "slotted.py", "class Slotted:\n    __slots__ = ('a',)\n\n    def other(self):\n        return Slotted()\n"
    )
    program = """
        import cloudpickle, pickle, model, slotted
        cloudpickle.register_pickle_by_value(model)
        cloudpickle.register_pickle_by_value(slotted)
        values = [slotted.Slotted, model.Base(), model.Plan(2), model.make(3), model.even, model.create_model]
        print(*map(digest, values))
        pickle.dump(cloudpickle.dumps(values), open("values.pkl", "wb"))
    """
    here = project.run(program)
    there = project.run(
        "import pickle\nprint(*map(digest, pickle.loads(pickle.load(open('values.pkl', 'rb')))))", seed=2
    )
    assert here == there


def test_use_does_not_change_a_digest(project: Project) -> None:
    program = """
        import pickle
        from model import *
        net = Net(1)
        before = digest([Net, Plan, remembered, create_model, odd])
        digest(net), pickle.dumps(net), remembered(1), Plan().again(), Net.__annotations__, odd(50)
        print(before == digest([Net, Plan, remembered, create_model, odd]))
    """
    assert project.run(program) == "True"


def test_values_are_the_same_in_every_process(project: Project) -> None:
    program = """
        import enum, functools, numpy as np, pandas as pd
        from scipy import sparse, stats
        from sklearn.base import BaseEstimator
        from sklearn.linear_model import LogisticRegression
        from sklearn.metrics import make_scorer, accuracy_score
        from sklearn.model_selection import StratifiedKFold
        class Kind(enum.Enum):
            A = "a"
            B = "b"
        class Own(BaseEstimator):
            def __init__(self, a=1): self.a = a
            def fit(self, X, y=None): return self
            def transform(self, X): return X * self.a
        class Words(set): pass
        for value in (
            {"x", "y", "z"}, frozenset({Kind.A, Kind.B, "c"}), {Kind.B: {len, int, str}}, Words("abc"),
            Own(), LogisticRegression(), StratifiedKFold(3), make_scorer(accuracy_score), stats.norm(1),
            np.random.RandomState(3), np.random.default_rng(3), np.random.normal, sparse.eye(3, format="csr"),
            pd.DataFrame({"a": ["x", "y"]}, index=pd.date_range("2020", periods=2)), np.mean, accuracy_score,
            functools.partial(sorted, key=str.lower), pd.NA,
        ):
            print(digest(value))
    """
    printed = project.run(program, seed=1)
    assert printed == project.run(
        "import sklearn.ensemble, pandas.plotting\n" + program.replace("\n        ", "\n"), seed=2
    )
    assert len(set(printed.split())) == 18
