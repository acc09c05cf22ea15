"""Cost and quality of the Gaussian process in long studies: scikit-optimize's default, "fast-gp", Optuna's sampler."""
