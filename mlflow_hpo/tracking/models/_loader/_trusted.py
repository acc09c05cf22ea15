"""The types, beyond those skops itself trusts, that a model's `estimator.skops` may hold.

The list is fixed here and asks nothing of the file: a file that names another type is refused. All of these are
classes and pure functions of scikit-learn, numpy, scipy and scikeras that fitted estimators keep; none of them runs
code or opens files when built or when its state is set. `Tree` and `TreePredictor` are on it although skops leaves them
to the reader, because a forged file could make a prediction read out of bounds: whoever can forge that file can as well
change the loader beside it, which Python runs.
"""

from __future__ import annotations

_PACKAGE = __name__.rpartition(".")[0]

_DISTANCES: tuple[str, ...] = (
    "BrayCurtis",
    "Canberra",
    "Chebyshev",
    "Dice",
    "Euclidean",
    "Hamming",
    "Haversine",
    "Jaccard",
)
_DISTANCES += ("Mahalanobis", "Manhattan", "Minkowski", "RogersTanimoto", "RussellRao", "SEuclidean", "SokalSneath")

_NAMES: dict[str, str] = {
    f"{_PACKAGE}._labels": "LabelDecoder",
    f"{_PACKAGE}._network": "NetworkPredictor",
    "numpy": "asarray clip dtype mean median nan_to_num",
    "scikeras.utils.transformers": "ClassifierLabelEncoder RegressorTargetEncoder TargetReshaper",
    "scipy._lib.array_api_compat.numpy._aliases": "asarray",
    "scipy.interpolate._bsplines": "BSpline",
    "scipy.sparse._coo": "coo_array coo_matrix",
    "scipy.sparse._csc": "csc_array csc_matrix",
    "scipy.sparse._csr": "csr_array csr_matrix",
    "sklearn._loss.loss": "HalfTweedieLoss HalfTweedieLossIdentity",
    "sklearn.calibration": "_CalibratedClassifier _SigmoidCalibration _TemperatureScaling",
    "sklearn.cluster._bisect_k_means": "_BisectingTree",
    "sklearn.cluster._kmeans": "_kmeans_single_elkan _kmeans_single_lloyd",
    "sklearn.compose._column_transformer": "make_column_selector",
    "sklearn.ensemble._hist_gradient_boosting.predictor": "TreePredictor",
    "sklearn.feature_selection._mutual_info": "mutual_info_classif mutual_info_regression",
    "sklearn.feature_selection._univariate_selection": "chi2 f_classif f_regression r_regression",
    "sklearn.gaussian_process._gpc": "_BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels": (
        "CompoundKernel ConstantKernel DotProduct ExpSineSquared Exponentiation Hyperparameter Matern PairwiseKernel "
        "Product RBF RationalQuadratic Sum WhiteKernel"
    ),
    "sklearn.metrics._classification": "accuracy_score balanced_accuracy_score f1_score",
    "sklearn.metrics._dist_metrics": " ".join(f"{name}Distance{bits}" for name in _DISTANCES for bits in (32, 64)),
    "sklearn.metrics._scorer": "_CurveScorer _PassthroughScorer _Scorer",
    "sklearn.model_selection._split": (
        "GroupKFold GroupShuffleSplit KFold LeaveOneGroupOut LeaveOneOut LeavePGroupsOut LeavePOut PredefinedSplit "
        "RepeatedKFold RepeatedStratifiedKFold ShuffleSplit StratifiedGroupKFold StratifiedKFold "
        "StratifiedShuffleSplit TimeSeriesSplit"
    ),
    "sklearn.multiclass": "_ConstantPredictor",
    "sklearn.neighbors._ball_tree": "BallTree",
    "sklearn.neighbors._kd_tree": "KDTree",
    "sklearn.neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
    "sklearn.tree._tree": "Tree",
    "sklearn.utils._bunch": "Bunch",
    "sklearn.utils._metadata_requests": "MetadataRequest MethodMetadataRequest",
}

TRUSTED = [f"{module}.{name}" for module, names in _NAMES.items() for name in names.split()]
