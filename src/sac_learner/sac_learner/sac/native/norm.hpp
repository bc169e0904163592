// What may lie between a product and its relu: dropout, then layer normalisation [DroQ].
#pragma once

#include <cmath>
#include <cstring>
#include <vector>

#include "gemm.hpp"
#include "memory.hpp"
#include "optimizer.hpp"

namespace sac {

constexpr float kNormEpsilon = 1e-5f;

// Factors 0 or 1 / (1 - rate) of a pass, a row of `width` per transition; null: no dropout.
struct Dropout {
  const float* factors = nullptr;
  int width = 0;
  const float* row(int r) const { return factors + static_cast<size_t>(r) * width; }
};

// What a pass leaves for the way back: normalised values, and 1 / standard deviation per row.
struct NormRows {
  float* normal;
  float* deviation;
};

struct NormTrace {
  Buffer normal, deviation;
  NormRows from(int first, ptrdiff_t row) const {
    if (!normal.get()) return {nullptr, nullptr};
    return {normal.get() + first * row, deviation.get() + first};
  }
};

struct Norm {
  bool present = false;
  int units = 0;
  size_t scale = 0, shift = 0;  // offsets into the flat parameters
  size_t gradient = 0;          // of the scales, then of the shifts, among the chunks' gradients

  void prepare(int size, size_t at, size_t shift_at, size_t& end) {
    present = true;
    units = size;
    scale = at;
    shift = shift_at;
    gradient = end;
    end += 2 * static_cast<size_t>(padded(size));
  }

  void add_tasks(std::vector<Task>& tasks) const {
    if (!present) return;
    Task task;
    task.add(scale, gradient, units);
    task.add(shift, gradient + padded(units), units);
    tasks.push_back(std::move(task));
  }

  NormTrace trace(int rows, int row) const {
    if (!present) return {};
    return {Buffer(static_cast<size_t>(rows) * row), Buffer(rows)};
  }

  // y = max(0, scale normalised(y dropped) + shift), in place, `size` columns of rows `row` apart.
  void forward(const float* flat, const Dropout& dropout, int size, float* y, ptrdiff_t row,
               int rows, const NormRows& trace) const {
    for (int r = 0; r < rows; ++r) {
      float* __restrict z = y + r * row;
      if (dropout.factors) {
        const float* __restrict factor = dropout.row(r);
        for (int i = 0; i < size; ++i) z[i] *= factor[i];
      }
      if (present) {
        const float mean = sum(z, size) / static_cast<float>(size);
        float* __restrict n = trace.normal + r * row;
        for (int i = 0; i < size; ++i) n[i] = z[i] - mean;
        const float variance = dot(n, n, size) / static_cast<float>(size);
        const float inverse = 1.0f / std::sqrt(variance + kNormEpsilon);
        trace.deviation[r] = inverse;
        const float* __restrict g = flat + scale;
        const float* __restrict s = flat + shift;
        for (int i = 0; i < size; ++i) {
          n[i] *= inverse;
          z[i] = n[i] * g[i] + s[i];
        }
      }
      for (int i = 0; i < size; ++i) z[i] = z[i] <= 0.0f ? 0.0f : z[i];
    }
  }

  void clear(float* gradients) const {
    if (present) std::memset(gradients + gradient, 0, 2 * padded(units) * sizeof(float));
  }

  // From the gradient after the normalisation, where the relu was active, to that of the product,
  // in place. `index` names the rows of trace and dropout (null: the same rows); parameters'
  // gradients are added unless `gradients` is null.
  void backward(const float* flat, const Dropout& dropout, int size, float* dy, ptrdiff_t row,
                int rows, const NormRows& trace, const int* index, float* gradients) const {
    for (int r = 0; r < rows; ++r) {
      const int source = index ? index[r] : r;
      float* __restrict d = dy + r * row;
      if (present) {
        const float* __restrict n = trace.normal + source * row;
        if (gradients) {
          float* __restrict dscale = gradients + gradient;
          float* __restrict dshift = dscale + padded(units);
          for (int i = 0; i < size; ++i) {
            dscale[i] += d[i] * n[i];
            dshift[i] += d[i];
          }
        }
        const float* __restrict g = flat + scale;
        for (int i = 0; i < size; ++i) d[i] *= g[i];
        const float mean = sum(d, size) / static_cast<float>(size);
        const float slope = dot(d, n, size) / static_cast<float>(size);
        const float inverse = trace.deviation[source];
        for (int i = 0; i < size; ++i) d[i] = inverse * (d[i] - mean - n[i] * slope);
      }
      if (dropout.factors) {
        const float* __restrict factor = dropout.row(source);
        for (int i = 0; i < size; ++i) d[i] *= factor[i];
      }
    }
  }

 private:
  static float sum(const float* x, int size) {
    Vec total{};
    int i = 0;
    for (; i + kLanes <= size; i += kLanes) total += load(x + i);
    float rest = 0.0f;
    for (; i < size; ++i) rest += x[i];
    return rest + sac::sum(total);
  }

  static float dot(const float* x, const float* y, int size) {
    Vec total{};
    int i = 0;
    for (; i + kLanes <= size; i += kLanes) total += load(x + i) * load(y + i);
    float rest = 0.0f;
    for (; i < size; ++i) rest += x[i] * y[i];
    return rest + sac::sum(total);
  }
};

}  // namespace sac
