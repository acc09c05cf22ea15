"""One hidden layer; it takes as many features and tells apart as many classes as the data have."""

import keras


def create_model(meta, learning_rate, dropout_rate, hidden_units, activation, l2):
    model = keras.Sequential(
        [
            keras.layers.Input((meta["n_features_in_"],)),
            keras.layers.Dense(hidden_units, activation=activation, kernel_regularizer=keras.regularizers.L2(l2)),
            keras.layers.Dropout(dropout_rate),
            keras.layers.Dense(meta["n_classes_"], activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.Adam(learning_rate)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
