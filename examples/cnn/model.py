"""A small convolutional network on 8x8 images of handwritten digits."""

import keras
from sklearn.datasets import load_digits


def load_images():
    digits = load_digits()
    return digits.images[..., None].astype("float32") / 16, digits.target


def create_model(learning_rate, filters, kernel_size, dropout_rate):
    model = keras.Sequential(
        [
            keras.layers.Input((8, 8, 1)),
            keras.layers.Conv2D(filters, kernel_size, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dropout(dropout_rate),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.Adam(learning_rate)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
