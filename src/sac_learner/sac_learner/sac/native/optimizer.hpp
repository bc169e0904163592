// Adam over some parameters at a time, as soon as their gradient is known.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#include "gemm.hpp"
#include "interface.hpp"
#include "memory.hpp"

namespace sac {

// Gradients that each chunk of the batch contributes to.
class Partials {
 public:
  void reserve(int chunks, size_t size) {
    chunks_.clear();
    for (int i = 0; i < chunks; ++i) chunks_.emplace_back(size);
  }
  float* of(int chunk) const { return chunks_[chunk].get(); }

  // Sum over the first `chunks`, in their order.
  void sum(int chunks, size_t offset, int n, float* out) const {
    std::memcpy(out, of(0) + offset, n * sizeof(float));
    for (int c = 1; c < chunks; ++c) {
      const float* __restrict from = of(c) + offset;
      for (int i = 0; i < n; ++i) out[i] += from[i];
    }
  }

 private:
  std::vector<Buffer> chunks_;
};

// How the batch is divided.
struct Division {
  int batch, chunks;
  int whole = 0;  // rows of all chunks but the last; 0: about equal ones
  int begin(int chunk) const {
    if (whole) return std::min(batch, chunk * whole);
    return static_cast<int>(static_cast<long>(batch) * chunk / chunks);
  }
};

// Rows that go through the layers together: some chunks, one after the other.
struct Block {
  Division division;
  int first, last;  // chunks [first, last)

  int begin() const { return division.begin(first); }
  int rows() const { return division.begin(last) - begin(); }

  // f(chunk, row, rows) for each chunk, its first row counted from the block's.
  template <class F>
  void each(F f) const {
    for (int c = first; c < last; ++c) {
      f(c, division.begin(c) - begin(), division.begin(c + 1) - division.begin(c));
    }
  }
};

// Parameters that one thread steps at a time.
struct Task {
  static constexpr size_t kProduct = ~size_t{0};

  // Parameters that lie side by side, and where the task's gradient has theirs.
  struct Span {
    size_t parameter;
    int at, count;
    size_t partial;  // offset among what the chunks contributed, or kProduct
  };

  std::vector<Span> spans;
  int size = 0;  // of the gradient
  // Writes what no chunk contributes: rows [begin, end) of a gradient, `begin` those of this task.
  // Tasks side by side with the same `matrix` may have their products made at once.
  std::function<void(int begin, int end, int batch, float* out, float* scratch)> product;
  const void* matrix = nullptr;
  int begin = 0, end = 0;
  std::function<void(const float* flat, bool target)> place;  // copies them into other forms
  double squares = 0.0;
  size_t kept = 0;  // where the gradient is kept until its norm is known

  void add(size_t parameter, size_t partial, int count) {
    add_at(size, parameter, partial, count);
    size += padded(count);
  }

  void add_at(int at, size_t parameter, size_t partial, int count) {
    if (!spans.empty() && partial == kProduct) {
      Span& last = spans.back();
      if (last.partial == kProduct && last.parameter + last.count == parameter &&
          last.at + last.count == at) {
        last.count += count;
        return;
      }
    }
    spans.push_back({parameter, at, count, partial});
  }
};

// Parameters that follow those of an optimiser.
struct Follower {
  float* flat;    // or null
  bool computes;  // whether layers have them in their own forms, too
};

class Optimizer {
 public:
  std::vector<Task> tasks;
  Partials partials;

  Optimizer(float* flat, float* first, float* second, Follower follower)
      : flat_(flat), first_(first), second_(second), follower_(follower) {}

  // Call once all tasks are there.
  void prepare() {
    size_t size = 0;
    for (Task& task : tasks) {
      task.kept = size;
      size += padded(task.size);
      largest_ = std::max(largest_, task.size);
      deepest_ = std::max(deepest_, task.end - task.begin);
    }
    kept_ = Buffer(size);
  }

  int largest() const { return largest_; }  // size of a task's gradient
  int deepest() const { return deepest_; }  // rows of a task's product

  // Step the parameters of tasks [first, last), and what follows them by `tau`. `out` takes their
  // gradients.
  void step(int first, int last, const Division& division, const SacOptimizer& o, float tau,
            float* out, float* scratch) {
    each_product(first, last, division, out, scratch, [&](Task& task, float* gradient) {
      finish(task, division, gradient);
      step(task, o, gradient, 1.0f, tau);
    });
  }

  // Keep the gradients of tasks until `step_kept`.
  void keep(int first, int last, const Division& division, float* scratch) {
    each_product(first, last, division, kept_.get() + tasks[first].kept, scratch,
                 [&](Task& task, float* gradient) { finish(task, division, gradient); });
  }

  void step_kept(int first, int last, const SacOptimizer& o, float scale, float tau) {
    for (int i = first; i < last; ++i) step(tasks[i], o, kept_.get() + tasks[i].kept, scale, tau);
  }

  // Sum of squares of the whole gradient.
  double squares() const {
    double total = 0.0;
    for (const Task& task : tasks) total += task.squares;
    return total;
  }

 private:
  // f(task, gradient) for tasks [first, last), after the products of those that lie side by side.
  template <class F>
  void each_product(int first, int last, const Division& division, float* out, float* scratch,
                    F f) {
    while (first < last) {
      const Task& task = tasks[first];
      int next = first + 1;
      while (task.matrix && next < last && tasks[next].matrix == task.matrix) ++next;
      if (task.product) {
        task.product(task.begin, tasks[next - 1].end, division.batch, out, scratch);
      }
      for (; first < next; ++first) {
        f(tasks[first], out);
        out += padded(tasks[first].size);
      }
    }
  }

  // Add what the chunks contribute to a gradient.
  void finish(Task& task, const Division& division, float* out) const {
    double total = 0.0;
    for (const Task::Span& span : task.spans) {
      float* g = out + span.at;
      if (span.partial != Task::kProduct) partials.sum(division.chunks, span.partial, span.count, g);
      Vec sums{};
      int i = 0;
      for (; i + kLanes <= span.count; i += kLanes) sums += load(g + i) * load(g + i);
      for (; i < span.count; ++i) total += static_cast<double>(g[i]) * g[i];
      total += sum(sums);
    }
    task.squares = total;
  }

  void step(Task& task, const SacOptimizer& o, const float* gradient, float scale, float tau) {
    constexpr int kSpan = 512;  // elements that are followed while they are in cache
    float* follower = tau > 0.0f ? follower_.flat : nullptr;
    for (const Task::Span& span : task.spans) {
      for (int i = 0; i < span.count; i += kSpan) {
        const int n = std::min(kSpan, span.count - i);
        adam(o, gradient + span.at + i, span.parameter + i, n, scale);
        if (follower) {
          const float* __restrict p = flat_ + span.parameter + i;
          float* __restrict f = follower + span.parameter + i;
          for (int k = 0; k < n; ++k) f[k] += tau * (p[k] - f[k]);
        }
      }
    }
    if (task.place) {
      task.place(flat_, false);
      if (follower && follower_.computes) task.place(follower, true);
    }
  }

  void adam(const SacOptimizer& o, const float* gradient, size_t at, int n, float scale) {
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
#pragma GCC ivdep
    for (int i = 0; i < n; ++i) {
      const float change = scale * d[i];
      const float mean = beta1 * m[i] + rest1 * change;
      const float power = beta2 * v[i] + rest2 * change * change;
      m[i] = mean;
      v[i] = power;
      p[i] = decay * p[i] - rate * mean / (std::sqrt(power) * root + epsilon);
    }
  }

  float *flat_, *first_, *second_;
  Follower follower_;
  int largest_ = 0, deepest_ = 0;
  Buffer kept_;
};

}  // namespace sac
