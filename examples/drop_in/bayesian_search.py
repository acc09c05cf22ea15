"""The Bayesian optimisation that everyone copies; only the import lines differ."""

from digits784 import x_train, y_train
from keras.layers import Dense, Dropout
from keras.models import Sequential
from keras.optimizers import Adam
from skopt.space import Categorical, Real
from skopt.utils import use_named_args

from mlflow_hpo import gp_minimize

space = [
    Real(1e-4, 1e-1, "log-uniform", name="learning_rate"),
    Real(0, 0.5, name="dropout_rate"),
    Categorical(["relu", "tanh"], name="activation"),
]


def create_model(learning_rate, dropout_rate, activation):
    model = Sequential()
    model.add(Dense(128, activation=activation, input_shape=(784,)))
    model.add(Dropout(dropout_rate))
    model.add(Dense(10, activation="softmax"))
    model.compile(optimizer=Adam(learning_rate=learning_rate), loss="categorical_crossentropy", metrics=["accuracy"])
    return model


@use_named_args(space)
def objective_function(learning_rate, dropout_rate, activation):
    model = create_model(learning_rate, dropout_rate, activation)
    history = model.fit(x_train, y_train, validation_split=0.2, epochs=1, batch_size=32, verbose=0)
    return -history.history["val_accuracy"][-1]


result = gp_minimize(objective_function, space, n_calls=20, random_state=0)
print(f"Best: {-result.fun} using {result.x}")  # noqa: T201
