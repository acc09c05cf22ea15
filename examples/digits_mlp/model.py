"""One hidden layer on the 64 pixels of a handwritten digit."""

import keras


def create_model(learning_rate, dropout_rate, hidden_units, activation, l2):
    model = keras.Sequential(
        [
            keras.layers.Input((64,)),
            keras.layers.Dense(hidden_units, activation=activation, kernel_regularizer=keras.regularizers.L2(l2)),
            keras.layers.Dropout(dropout_rate),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.Adam(learning_rate)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
