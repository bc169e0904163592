// Direct convolutions with a lane per image: any number of channels, stride and window fills the
// vectors. A plane is (height, width, channels, lanes) with a border of zeros for padding.
#pragma once

#include <algorithm>
#include <type_traits>

#include "gemm.hpp"

namespace sac {

constexpr int kChannels = kTileRows >= 12 ? 8 : 4;  // channels and positions of a tile: with 3 x 8
constexpr int kPositions = 3;                       // (3 x 4) accumulators it fills the registers

struct Plane {
  int height = 0, width = 0, channels = 0, border = 0;

  ptrdiff_t pixel() const { return static_cast<ptrdiff_t>(channels) * kLanes; }
  ptrdiff_t row() const { return (width + 2 * border) * pixel(); }
  size_t size() const { return static_cast<size_t>(height + 2 * border) * row(); }
  // Offset of a pixel; (-border, -border) is the first one.
  ptrdiff_t at(int y, int x) const { return (y + border) * row() + (x + border) * pixel(); }
};

// Call f(integral constant, begin) for the parts of n, as equal as parts of at most 3 can be.
template <class F>
inline void in_positions(int n, F f) {
  const int parts = (n + kPositions - 1) / kPositions;
  for (int i = 0; i < parts; ++i) {
    const int begin = n * i / parts, size = n * (i + 1) / parts - begin;
    if (size == 3) f(std::integral_constant<int, 3>{}, begin);
    if (size == 2) f(std::integral_constant<int, 2>{}, begin);
    if (size == 1) f(std::integral_constant<int, 1>{}, begin);
  }
}

// Call f(integral constant, begin) for blocks of `Largest`, then of 4, then of 1.
template <int Largest, class F>
inline void in_channels(int n, F f) {
  int begin = 0;
  for (; begin + Largest <= n; begin += Largest) f(std::integral_constant<int, Largest>{}, begin);
  for (; begin + 4 <= n; begin += 4) f(std::integral_constant<int, 4>{}, begin);
  for (; begin < n; ++begin) f(std::integral_constant<int, 1>{}, begin);
}

struct Window {
  Plane in;                    // its border is the padding
  int channels, kernel, stride;
  ptrdiff_t x_step() const { return stride * in.pixel(); }
  int run() const { return kernel * in.channels; }  // taps of a row, which lie side by side
};

// sums[p][c] += window at position p times the filter of channel c; weights (ky, kx, in, out).
template <int P, int C>
inline void correlate(const Window& window, const float* x, const float* weight,
                      Vec (&sums)[P][C]) {
  const ptrdiff_t row = window.in.row(), step = window.x_step(), next = window.channels;
  const int run = window.run();
  for (int ky = 0; ky < window.kernel; ++ky, x += row) {
    const float* in = x;
    for (int i = run; i > 0; --i) {
      Vec v[P];
#pragma GCC unroll 16
      for (int p = 0; p < P; ++p) v[p] = load(in + p * step);
#pragma GCC unroll 16
      for (int c = 0; c < C; ++c) {
        const float w = weight[c];
#pragma GCC unroll 16
        for (int p = 0; p < P; ++p) sums[p][c] += w * v[p];
      }
      in += kLanes;
      weight += next;
    }
  }
}

template <int P, int C>
inline void set_bias(const float* bias, Vec (&sums)[P][C]) {
#pragma GCC unroll 16
  for (int p = 0; p < P; ++p) {
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) sums[p][c] = Vec{} + bias[c];
  }
}

// y = max(0, convolution + bias) for all pixels of `out`.
inline void convolve(const Window& window, const Plane& out, const float* x, const float* weight,
                     const float* bias, float* y) {
  const int border = window.in.border;
  in_channels<kChannels>(out.channels, [&](auto channels, int c0) {
    constexpr int C = decltype(channels)::value;
    for (int row = 0; row < out.height; ++row) {
      in_positions(out.width, [&](auto positions, int column) {
        constexpr int P = decltype(positions)::value;
        Vec sums[P][C];
        set_bias(bias + c0, sums);
        const int top = row * window.stride - border, left = column * window.stride - border;
        correlate(window, x + window.in.at(top, left), weight + c0, sums);
        float* to = y + out.at(row, column) + c0 * kLanes;
#pragma GCC unroll 16
        for (int p = 0; p < P; ++p) {
#pragma GCC unroll 16
          for (int c = 0; c < C; ++c) {
            store(to + p * out.pixel() + c * kLanes, sums[p][c] <= 0.0f ? Vec{} : sums[p][c]);
          }
        }
      });
    }
  });
}

// The same, and of each pool x pool window the greatest; `which` is its number in the window, the
// first of equals, or -1 where it is not positive.
inline void convolve_and_pool(const Window& window, const Plane& out, int pool, int pool_stride,
                              const float* x, const float* weight, const float* bias, float* y,
                              float* which) {
  const int border = window.in.border;
  in_channels<4>(out.channels, [&](auto channels, int c0) {
    constexpr int C = decltype(channels)::value;
    for (int row = 0; row < out.height; ++row) {
      for (int column = 0; column < out.width; ++column) {
        Vec best[C], index[C];
#pragma GCC unroll 16
        for (int c = 0; c < C; ++c) best[c] = Vec{}, index[c] = Vec{} - 1.0f;
        for (int py = 0; py < pool; ++py) {
          in_positions(pool, [&](auto positions, int px) {
            constexpr int P = decltype(positions)::value;
            Vec sums[P][C];
            set_bias(bias + c0, sums);
            const int top = (row * pool_stride + py) * window.stride - border;
            const int left = (column * pool_stride + px) * window.stride - border;
            correlate(window, x + window.in.at(top, left), weight + c0, sums);
#pragma GCC unroll 16
            for (int p = 0; p < P; ++p) {
              const Vec number = Vec{} + static_cast<float>(py * pool + px + p);
#pragma GCC unroll 16
              for (int c = 0; c < C; ++c) {
                const Mask kept = sums[p][c] <= best[c];  // so that NaN is not kept out
                best[c] = kept ? best[c] : sums[p][c];
                index[c] = kept ? index[c] : number;
              }
            }
          });
        }
        const ptrdiff_t to = out.at(row, column) + c0 * kLanes;
#pragma GCC unroll 16
        for (int c = 0; c < C; ++c) {
          store(y + to + c * kLanes, best[c]);
          store(which + to + c * kLanes, index[c]);
        }
      }
    }
  });
}

// Gradients at some rows of a convolution's positions, before pooling: (rows, columns, channels).
struct Strip {
  int first, rows, columns;
  const float* dy;
};

// Add to the gradients of the filters, (ky, kx, in, out, lanes), and of the biases, (out, lanes).
inline void add_weight_gradient(const Window& window, const Strip& strip, const float* x,
                                float* dweight, float* dbias) {
  const int border = window.in.border, inputs = window.in.channels, outputs = window.channels;
  const ptrdiff_t pixel = static_cast<ptrdiff_t>(outputs) * kLanes;
  for (int ky = 0; ky < window.kernel; ++ky) {
    for (int kx = 0; kx < window.kernel; ++kx) {
      in_positions(inputs, [&](auto some, int i0) {
        constexpr int I = decltype(some)::value;
        in_channels<kChannels>(outputs, [&](auto channels, int c0) {
          constexpr int C = decltype(channels)::value;
          float* to = dweight + ((ky * window.kernel + kx) * inputs + i0) * pixel + c0 * kLanes;
          Vec sums[I][C];
#pragma GCC unroll 16
          for (int i = 0; i < I; ++i) {
#pragma GCC unroll 16
            for (int c = 0; c < C; ++c) sums[i][c] = load(to + i * pixel + c * kLanes);
          }
          for (int row = 0; row < strip.rows; ++row) {
            const int top = (strip.first + row) * window.stride - border + ky;
            const float* in = x + window.in.at(top, kx - border) + i0 * kLanes;
            const float* d = strip.dy + row * strip.columns * pixel + c0 * kLanes;
            for (int n = strip.columns; n > 0; --n) {
              Vec v[I];
#pragma GCC unroll 16
              for (int i = 0; i < I; ++i) v[i] = load(in + i * kLanes);
#pragma GCC unroll 16
              for (int c = 0; c < C; ++c) {
                const Vec g = load(d + c * kLanes);
#pragma GCC unroll 16
                for (int i = 0; i < I; ++i) sums[i][c] += v[i] * g;
              }
              in += window.x_step();
              d += pixel;
            }
          }
#pragma GCC unroll 16
          for (int i = 0; i < I; ++i) {
#pragma GCC unroll 16
            for (int c = 0; c < C; ++c) store(to + i * pixel + c * kLanes, sums[i][c]);
          }
        });
      });
    }
  }
  for (int c = 0; c < outputs; ++c) {
    Vec total = load(dbias + c * kLanes);
    for (int n = 0; n < strip.rows * strip.columns; ++n) {
      total += load(strip.dy + n * pixel + c * kLanes);
    }
    store(dbias + c * kLanes, total);
  }
}

// Add to the gradient of the input plane; weights (ky, kx, out, in).
inline void add_input_gradient(const Window& window, const Strip& strip, const float* weight,
                               float* dx) {
  const int border = window.in.border, inputs = window.in.channels, outputs = window.channels;
  const ptrdiff_t pixel = static_cast<ptrdiff_t>(outputs) * kLanes, step = window.x_step();
  for (int row = 0; row < strip.rows; ++row) {
    for (int tap = 0; tap < window.kernel * window.kernel; ++tap) {
      const int top = (strip.first + row) * window.stride - border + tap / window.kernel;
      in_channels<kChannels>(inputs, [&](auto channels, int i0) {
        constexpr int I = decltype(channels)::value;
        in_positions(strip.columns, [&](auto positions, int column) {
          constexpr int P = decltype(positions)::value;
          const int left = column * window.stride - border + tap % window.kernel;
          float* to = dx + window.in.at(top, left) + i0 * kLanes;
          const float* d = strip.dy + (row * strip.columns + column) * pixel;
          const float* w = weight + static_cast<ptrdiff_t>(tap) * outputs * inputs + i0;
          Vec sums[P][I];
#pragma GCC unroll 16
          for (int p = 0; p < P; ++p) {
#pragma GCC unroll 16
            for (int i = 0; i < I; ++i) sums[p][i] = load(to + p * step + i * kLanes);
          }
          for (int c = outputs; c > 0; --c) {
            Vec g[P];
#pragma GCC unroll 16
            for (int p = 0; p < P; ++p) g[p] = load(d + p * pixel);
#pragma GCC unroll 16
            for (int i = 0; i < I; ++i) {
              const float factor = w[i];
#pragma GCC unroll 16
              for (int p = 0; p < P; ++p) sums[p][i] += factor * g[p];
            }
            d += kLanes;
            w += inputs;
          }
#pragma GCC unroll 16
          for (int p = 0; p < P; ++p) {
#pragma GCC unroll 16
            for (int i = 0; i < I; ++i) store(to + p * step + i * kLanes, sums[p][i]);
          }
        });
      });
    }
  }
}

}  // namespace sac
