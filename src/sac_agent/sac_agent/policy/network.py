"""Inference in numpy: a squashed-Gaussian policy of `sac_core.policy_format`."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from sac_core.policy_format import Architecture, ConvLayer

Array = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]

_NORM_EPSILON = np.float32(1e-5)


class NumpyPolicy:
    """Weights ready to act, `tanh(mean + exp(log_std) * noise)`.

    Attributes:
        architecture: Shapes and layers.
    """

    def __init__(self, architecture: Architecture, arrays: Mapping[str, npt.ArrayLike]) -> None:
        """Copy the arrays of the architecture's layout and allocate all working memory."""
        self.architecture = architecture
        a = {name: np.array(value, dtype=np.float32) for name, value in arrays.items()}
        self._mean = a['observation.mean']
        self._std = a['observation.std']
        self._features = architecture.feature_size
        self._input = np.zeros(self._features + architecture.vector_size, dtype=np.float32)
        self._encoder: list[_Convolution] = []
        if architecture.image_shape is not None:
            height, width, channels = architecture.image_shape
            for i, layer in enumerate(architecture.encoder):
                weight, bias = a[f'encoder.{i}.weight'], a[f'encoder.{i}.bias']
                self._encoder.append(_Convolution(layer, weight, bias, (channels, height, width)))
                channels, (height, width) = layer.channels, layer.output(height, width)
        self._hidden = [
            _Dense(
                np.ascontiguousarray(a[f'hidden.{i}.weight']),
                a[f'hidden.{i}.bias'],
                a.get(f'hidden.{i}.norm.weight'),
                a.get(f'hidden.{i}.norm.bias'),
                architecture.activation,
            )
            for i in range(len(architecture.hidden))
        ]
        # Both heads in one product: one call instead of two.
        self._heads = np.ascontiguousarray(np.hstack([a['mean.weight'], a['log_std.weight']]))
        self._heads_bias = np.concatenate([a['mean.bias'], a['log_std.bias']])
        self._output = np.empty(2 * architecture.action_size, dtype=np.float32)

    def act(
        self, vector: npt.ArrayLike, image: Image | None = None, noise: npt.ArrayLike | None = None
    ) -> tuple[Array, Array, Array]:
        """Return action, mean and log_std, each (action_size,); the arrays are new.

        Args:
            vector: Observation, (vector_size,).
            image: (height, width, channels) uint8, None without an encoder.
            noise: Standard normal, (action_size,); None: the mode, tanh(mean).
        """
        x = self._input
        v = x[self._features :]
        np.subtract(vector, self._mean, out=v, casting='same_kind')
        np.divide(v, self._std, out=v)
        if self._encoder:
            x[: self._features] = self._encode(image)
        for layer in self._hidden:
            x = layer(x)
        np.dot(x, self._heads, out=self._output)
        output = self._output + self._heads_bias
        size = self.architecture.action_size
        mean, log_std = output[:size], output[size:]
        low, high = self.architecture.log_std_bounds
        np.maximum(log_std, np.float32(low), out=log_std)
        np.minimum(log_std, np.float32(high), out=log_std)
        if noise is None:
            return np.tanh(mean), mean, log_std
        latent = np.exp(log_std)
        latent *= np.asarray(noise, dtype=np.float32)
        latent += mean
        return np.tanh(latent, out=latent), mean, log_std

    def _encode(self, image: Image | None) -> Array:
        if image is None or image.shape != self.architecture.image_shape:
            shape = None if image is None else image.shape
            raise ValueError(
                f'image must be of shape {self.architecture.image_shape}, got {shape}'
            )
        x: Array = image.transpose(2, 0, 1).astype(np.float32)
        x /= np.float32(255.0)
        for layer in self._encoder:
            x = layer(x)
        return x.ravel()


class _Dense:
    """x @ W + b, layer norm where given, activation; the result lives until the next call."""

    def __init__(
        self, weight: Array, bias: Array, scale: Array | None, shift: Array | None, activation: str
    ) -> None:
        self._weight, self._bias, self._scale, self._shift = weight, bias, scale, shift
        self._activation = activation
        self._out = np.empty(weight.shape[1], dtype=np.float32)

    def __call__(self, x: Array) -> Array:
        y = np.dot(x, self._weight, out=self._out)
        y += self._bias
        if self._scale is not None and self._shift is not None:
            y -= y.mean()
            y /= np.sqrt(np.dot(y, y) / np.float32(y.size) + _NORM_EPSILON)
            y *= self._scale
            y += self._shift
        if self._activation == 'relu':
            return np.maximum(y, np.float32(0.0), out=y)
        if self._activation == 'tanh':
            return np.tanh(y, out=y)
        if self._activation == 'elu':
            return np.asarray(np.where(y > 0, y, np.expm1(np.minimum(y, 0))), dtype=np.float32)
        return np.asarray(y / (np.float32(1.0) + np.exp(-y)), dtype=np.float32)  # silu


class _Convolution:
    """Convolution as one matrix product over copied patches, ReLU, max pooling."""

    def __init__(
        self, layer: ConvLayer, weight: Array, bias: Array, shape: tuple[int, int, int]
    ) -> None:
        channels, height, width = shape
        p, k, s = layer.padding, layer.kernel, layer.stride
        self._layer = layer
        self._weight = np.ascontiguousarray(weight.reshape(layer.channels, -1))
        self._bias = bias[:, None]
        self._padded = np.zeros((channels, height + 2 * p, width + 2 * p), dtype=np.float32)
        self._inside = self._padded[:, p : p + height, p : p + width]
        patches = np.lib.stride_tricks.sliding_window_view(self._padded, (k, k), axis=(1, 2))
        # (C, H', W', k, k) -> (C, k, k, H', W'), a view that follows the padded input
        self._patches = patches[:, ::s, ::s].transpose(0, 3, 4, 1, 2)
        self._rows, self._columns = self._patches.shape[3:]
        self._matrix = np.empty((channels * k * k, self._rows * self._columns), dtype=np.float32)
        self._out = np.empty((layer.channels, self._rows * self._columns), dtype=np.float32)

    def __call__(self, x: Array) -> Array:
        self._inside[...] = x
        self._matrix.reshape(self._patches.shape)[...] = self._patches
        y = np.dot(self._weight, self._matrix, out=self._out)
        y += self._bias
        np.maximum(y, np.float32(0.0), out=y)
        image = y.reshape(self._layer.channels, self._rows, self._columns)
        if self._layer.pool == 1 and self._layer.pool_stride == 1:
            return image
        return self._pool(image)

    def _pool(self, image: Array) -> Array:
        pool, stride = self._layer.pool, self._layer.pool_stride
        rows, columns = (self._rows - pool) // stride + 1, (self._columns - pool) // stride + 1
        best: Array | None = None
        for i in range(pool):
            for j in range(pool):
                view = image[
                    :,
                    i : i + (rows - 1) * stride + 1 : stride,
                    j : j + (columns - 1) * stride + 1 : stride,
                ]
                best = view.copy() if best is None else np.maximum(best, view, out=best)
        assert best is not None  # pool >= 1
        return best
