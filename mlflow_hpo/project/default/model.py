"""The network of the default study: one hidden layer on the 64 pixels of a handwritten digit."""

import keras


def create_model(learning_rate: float = 0.005, dropout_rate: float = 0.2, hidden_units: int = 64) -> keras.Model:
    """Return a compiled network; each argument is a hyperparameter that a study can search.

    Parameters
    ----------
    learning_rate : float
        Step size of Adam.
    dropout_rate : float
        Share of hidden units left out in each training step.
    hidden_units : int
        Width of the hidden layer.

    Returns
    -------
    keras.Model
        Takes pixels from 0 to 16; gives a probability for each digit.
    """
    model = keras.Sequential(
        [
            keras.layers.Input((64,)),
            keras.layers.Dense(hidden_units, activation="relu"),
            keras.layers.Dropout(dropout_rate),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.Adam(learning_rate)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
