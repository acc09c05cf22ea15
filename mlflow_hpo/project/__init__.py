"""The side of `mlflow run`: command line, study file, data, and what is built from them."""
