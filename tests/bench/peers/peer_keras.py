# SPDX-License-Identifier: GPL-3.0-or-later
"""The seed recipe in Keras 3 on the CPU (KERAS_BACKEND=tensorflow|jax|torch).  usage: peer_keras.py [epochs]"""
import os, sys, time
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
from keras import layers as L, initializers as I
from mnist import load
keras.utils.set_random_seed(0)
x, y, u, v = load(); epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
c, d = I.RandomUniform(-0.1, 0.1), I.RandomUniform(-0.01, 0.01)
net = keras.Sequential([keras.Input((28, 28, 1)), L.Conv2D(24, 5, activation="relu", kernel_initializer=c), L.MaxPooling2D(),
    L.Conv2D(48, 5, activation="relu", kernel_initializer=c), L.MaxPooling2D(), L.Flatten(),
    L.Dense(512, activation="relu", kernel_initializer=d), L.Dense(10, activation="softmax", kernel_initializer=d)])
net.compile(keras.optimizers.SGD(keras.optimizers.schedules.InverseTimeDecay(0.5, 1, 1e-6)), "sparse_categorical_crossentropy", metrics=["accuracy"])
class Clock(keras.callbacks.Callback):
    def on_epoch_begin(self, e, logs=None): self.t = time.perf_counter()
    def on_test_begin(self, logs=None): self.t1 = time.perf_counter()
    def on_epoch_end(self, e, logs=None):
        t2 = time.perf_counter()
        print(f"epoch {e + 1}  loss: {logs['loss']:.4f} / {logs['val_loss']:.4f}  accuracy: {logs['accuracy']:.4f} / {logs['val_accuracy']:.4f}"
              f"  train {self.t1 - self.t:.2f} s  eval {t2 - self.t1:.2f} s", flush=True)
net.fit(x, y, batch_size=128, epochs=epochs, shuffle=False, verbose=0, validation_data=(u, v), validation_batch_size=128, callbacks=[Clock()])
