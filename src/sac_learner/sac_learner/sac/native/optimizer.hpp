// Adam over a thread's share of the parameters; the threads' gradients are summed on the way.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#include "gemm.hpp"
#include "interface.hpp"

namespace sac {

// Parameters that lie side by side, and where their gradients are.
struct Span {
  size_t parameter, gradient;
  int count;
};

// Parameters that one thread steps.
struct Task {
  std::vector<Span> spans;
  std::function<void(const float* flat, bool target)> place;  // copies them into other forms
  long cost = 0;

  void add(size_t parameter, size_t gradient, int count) {
    spans.push_back({parameter, gradient, count});
    cost += count;
  }
};

class Optimizer {
 public:
  std::vector<Task> tasks;

  Optimizer(float* flat, float* first, float* second, float* target)
      : flat_(flat), first_(first), second_(second), target_(target) {}

  // The tasks of one of `threads` threads.
  template <class F>
  void each(int rank, int threads, F work) {
    long cost = 0, at = 0;
    for (const Task& task : tasks) cost += task.cost;
    const long from = cost * rank / threads, to = cost * (rank + 1) / threads;
    for (Task& task : tasks) {
      if (at >= from && at < to) work(task);
      at += task.cost;
    }
  }

  // Sum of squares of a task's gradient.
  double squares(const Task& task, const std::vector<const float*>& gradients) const {
    double total = 0.0;
    for (const Span& span : task.spans) {
      float g[kSpan];
      for (int i = 0; i < span.count; i += kSpan) {
        const int n = std::min(kSpan, span.count - i);
        sum(gradients, span.gradient + i, n, g);
        for (int k = 0; k < n; ++k) total += static_cast<double>(g[k]) * g[k];
      }
    }
    return total;
  }

  // Step a task's parameters by `scale` times the gradient, and its target by `tau`; returns the
  // sum of squares of the gradient.
  double step(Task& task, const SacOptimizer& o, const std::vector<const float*>& gradients,
              float scale, float tau) {
    float* target = tau > 0.0f ? target_ : nullptr;
    double total = 0.0;
    for (const Span& span : task.spans) {
      alignas(64) float g[kSpan];
      for (int i = 0; i < span.count; i += kSpan) {
        const int n = std::min(kSpan, span.count - i);
        sum(gradients, span.gradient + i, n, g);
        total += step(o, g, span.parameter + i, n, scale);
        if (target) {
          const float* __restrict p = flat_ + span.parameter + i;
          float* __restrict t = target + span.parameter + i;
          for (int k = 0; k < n; ++k) t[k] += tau * (p[k] - t[k]);
        }
      }
    }
    if (task.place) {
      task.place(flat_, false);
      if (target) task.place(target, true);
    }
    return total;
  }

 private:
  static constexpr int kSpan = 512;  // elements of a gradient summed at a time

  static void sum(const std::vector<const float*>& gradients, size_t offset, int n, float* out) {
    std::memcpy(out, gradients[0] + offset, n * sizeof(float));
    for (size_t t = 1; t < gradients.size(); ++t) {
      const float* g = gradients[t] + offset;
      for (int i = 0; i < n; ++i) out[i] += g[i];
    }
  }

  double step(const SacOptimizer& o, const float* gradient, size_t at, int n, float scale) {
    const float rate = o.learning_rate / o.correction1;
    const float root = 1.0f / std::sqrt(o.correction2);
    const float decay = 1.0f - o.learning_rate * o.weight_decay;
    // Copies, as a store through a float pointer might change what a reference refers to.
    const float beta1 = o.beta1, rest1 = 1.0f - o.beta1, epsilon = o.epsilon;
    const float beta2 = o.beta2, rest2 = 1.0f - o.beta2;
    const float* __restrict d = gradient;
    float* __restrict p = flat_ + at;
    float* __restrict m = first_ + at;
    float* __restrict v = second_ + at;
    double squares = 0.0;
    Vec sums{};
    int i = 0;
    for (; i + kLanes <= n; i += kLanes) sums += load(d + i) * load(d + i);
    for (; i < n; ++i) squares += static_cast<double>(d[i]) * d[i];
#pragma GCC ivdep
    for (i = 0; i < n; ++i) {
      const float change = scale * d[i];
      const float mean = beta1 * m[i] + rest1 * change;
      const float power = beta2 * v[i] + rest2 * change * change;
      m[i] = mean;
      v[i] = power;
      p[i] = decay * p[i] - rate * mean / (std::sqrt(power) * root + epsilon);
    }
    return squares + sac::sum(sums);
  }

  float *flat_, *first_, *second_, *target_;
};

}  // namespace sac
