"""The random search that everyone copies; only the import lines differ."""

from digits784 import x_train, y_train
from keras.layers import Dense, Dropout
from keras.models import Sequential
from keras.optimizers import Adam
from scipy.stats import uniform

from mlflow_hpo import KerasClassifier, RandomizedSearchCV


def create_model(learning_rate=0.01, dropout_rate=0.2):
    model = Sequential()
    model.add(Dense(128, activation="relu", input_shape=(784,)))
    model.add(Dropout(dropout_rate))
    model.add(Dense(10, activation="softmax"))
    model.compile(optimizer=Adam(learning_rate=learning_rate), loss="categorical_crossentropy", metrics=["accuracy"])
    return model


model = KerasClassifier(build_fn=create_model, verbose=0)
param_dist = {"learning_rate": uniform(0.0001, 0.1), "dropout_rate": uniform(0, 0.5)}

random_search = RandomizedSearchCV(estimator=model, param_distributions=param_dist, n_iter=10, cv=3)
random_result = random_search.fit(x_train, y_train)
print(f"Best: {random_result.best_score_} using {random_result.best_params_}")  # noqa: T201
