"""A pipeline that fills gaps, scales numbers and encodes text, with a small network at its end."""

import keras
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlflow_hpo import KerasRegressor

NUMBERS = ["age", "bmi", "blood_pressure", "cholesterol", "ldl", "hdl", "glucose"]
TEXT = ["sex"]


def create_model(meta, learning_rate=0.01, units=16):
    model = keras.Sequential(
        [
            keras.layers.Input((meta["n_features_in_"],)),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(1, bias_initializer=keras.initializers.Constant(150.0)),  # about the mean of the target
        ]
    )
    model.compile(keras.optimizers.Adam(learning_rate), loss="mse")
    return model


def build_pipeline():
    numbers = Pipeline([("impute", SimpleImputer()), ("scale", StandardScaler())])
    columns = [("numbers", numbers, NUMBERS), ("text", OneHotEncoder(handle_unknown="ignore"), TEXT)]
    return Pipeline(
        [
            ("preprocess", ColumnTransformer(columns)),
            ("network", KerasRegressor(create_model, verbose=0)),
        ]
    )
