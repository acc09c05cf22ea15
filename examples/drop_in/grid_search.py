"""The grid search that everyone copies; only the import lines differ."""

from digits784 import x_train, y_train
from keras.layers import Dense, Dropout
from keras.models import Sequential
from keras.optimizers import Adam

from mlflow_hpo import GridSearchCV, KerasClassifier


def create_model(learning_rate=0.01, dropout_rate=0.2):
    model = Sequential()
    model.add(Dense(128, activation="relu", input_shape=(784,)))
    model.add(Dropout(dropout_rate))
    model.add(Dense(10, activation="softmax"))
    model.compile(optimizer=Adam(learning_rate=learning_rate), loss="categorical_crossentropy", metrics=["accuracy"])
    return model


model = KerasClassifier(build_fn=create_model, verbose=0)
param_grid = {"learning_rate": [0.01, 0.001, 0.0001], "dropout_rate": [0.2, 0.5]}

grid = GridSearchCV(estimator=model, param_grid=param_grid, cv=3)
grid_result = grid.fit(x_train, y_train)
print(f"Best: {grid_result.best_score_} using {grid_result.best_params_}")  # noqa: T201
