// The policy: a squashed Gaussian over fully connected relu layers.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "dense.hpp"
#include "functions.hpp"
#include "interface.hpp"

namespace sac {

class Policy {
 public:
  // A thread's own memory, for rows of next states and then of states.
  struct Scratch {
    Buffer input, heads, action, log_prob;
    std::vector<Buffer> hidden;
    std::vector<NormTrace> norms;
    Buffer dhead, dy, dx, dinput;  // dinput: gradient of the image features, padded(features) wide
  };

  // Parameters start at `at` of the flat vector, gradients at `gradient`, which is moved on.
  Policy(const SacShape& shape, const float* flat, int features, size_t at, size_t& gradient)
      : flat_(flat),
        vector_(shape.vector),
        features_(features),
        actions_(shape.action),
        low_(shape.log_std_min),
        high_(shape.log_std_max) {
    int inputs = features + shape.vector;
    for (int i = 0; i < shape.actor_layers; ++i) {
      Layer layer;
      layer.inputs = inputs;
      layer.outputs = shape.actor_hidden[i];
      layer.back = i > 0 || features > 0;
      layer.segments = {{at, at + static_cast<size_t>(inputs) * layer.outputs, layer.outputs}};
      at += static_cast<size_t>(inputs + 1) * layer.outputs;
      inputs = layer.outputs;
      layer.prepare(false, gradient);
      if (shape.actor_layer_norm) {
        layer.norm.prepare(layer.outputs, at, at + layer.outputs, gradient);
        at += 2 * static_cast<size_t>(layer.outputs);
      }
      layers_.push_back(std::move(layer));
    }
    const size_t head = static_cast<size_t>(inputs) * actions_;
    Layer heads;
    heads.inputs = inputs;
    heads.outputs = 2 * actions_;
    heads.back = true;
    heads.segments = {{at, at + head, actions_},
                      {at + head + actions_, at + 2 * head + actions_, actions_}};
    heads.prepare(false, gradient);
    layers_.push_back(std::move(heads));
  }

  int inputs() const { return features_ + vector_; }

  void refresh() {
    for (Layer& layer : layers_) layer.refresh(flat_, false);
  }

  void add_tasks(std::vector<Task>& tasks) {
    for (Layer& layer : layers_) layer.add_tasks(tasks);
  }

  Scratch scratch(int rows) const {
    int widest = padded(features_);
    for (const Layer& layer : layers_) widest = std::max(widest, layer.width);
    const size_t twice = 2 * rows;
    Scratch s;
    s.input = Buffer(twice * inputs());
    s.heads = Buffer(twice * padded(2 * actions_));
    s.action = Buffer(twice * actions_);
    s.log_prob = Buffer(twice);
    for (size_t i = 0; i + 1 < layers_.size(); ++i) {
      s.hidden.emplace_back(twice * stride(layers_[i].width));
      s.norms.push_back(layers_[i].norm.trace(2 * rows, stride(layers_[i].width)));
    }
    s.dhead = Buffer(static_cast<size_t>(rows) * padded(2 * actions_));
    s.dy = Buffer(static_cast<size_t>(rows) * stride(widest));
    s.dx = Buffer(static_cast<size_t>(rows) * stride(widest));
    s.dinput = Buffer(static_cast<size_t>(rows) * padded(features_));
    return s;
  }

  // Means and log standard deviations for rows [first, first + rows) of the input.
  void forward(Scratch& s, int first, int rows) const {
    const float* x = s.input.get() + static_cast<size_t>(first) * inputs();
    ptrdiff_t x_row = inputs();
    for (size_t i = 0; i + 1 < layers_.size(); ++i) {
      const ptrdiff_t y_row = stride(layers_[i].width);
      float* y = s.hidden[i].get() + first * y_row;
      hidden(layers_[i], flat_, false, {}, x, x_row, y, y_row, rows,
             s.norms[i].from(first, y_row));
      x = y;
      x_row = y_row;
    }
    const ptrdiff_t head_row = padded(2 * actions_);
    sac::forward(layers_.back(), false, x, x_row, s.heads.get() + first * head_row, head_row, rows,
                 false);
  }

  // Actions and their log density for rows [first, first + rows).
  void sample(Scratch& s, int first, int rows, const float* noise) const {
    for (int r = 0; r < rows; ++r) {
      const int row = first + r;
      sample(s.heads.get() + static_cast<size_t>(row) * padded(2 * actions_),
             noise + static_cast<size_t>(r) * actions_,
             s.action.get() + static_cast<size_t>(row) * actions_, s.log_prob.get() + row);
    }
  }

  // Gradient of J_pi, [SAC] eq. 9, for rows [rows, 2 rows), given dQ/da, padded(actions) wide.
  void gradient(Scratch& s, int rows, const float* noise, const float* dq_da, float alpha,
                float scale, float* gradients) const {
    const int a = actions_;
    const ptrdiff_t head_row = padded(2 * a);
    float* dhead = s.dhead.get();
    for (int r = 0; r < rows; ++r) {
      const float* head = s.heads.get() + (rows + r) * head_row;
      const float* action = s.action.get() + static_cast<size_t>(rows + r) * a;
      float* out = dhead + r * head_row;
      for (int i = 0; i < a; ++i) {
        const float t = action[i];
        // d log pi / du = 2 tanh(u); da / du = 1 - tanh(u)^2
        const float du = scale * (alpha * 2.0f * t - dq_da[r * padded(a) + i] * (1.0f - t * t));
        const float raw = head[a + i];
        const bool free = raw >= low_ && raw <= high_;
        out[i] = du;
        out[a + i] =
            free ? du * noise[static_cast<size_t>(r) * a + i] * std::exp(raw) - scale * alpha : 0.0f;
      }
    }
    float* dy = dhead;
    ptrdiff_t dy_row = head_row;
    float *dx = s.dx.get(), *other = s.dy.get();
    for (int i = static_cast<int>(layers_.size()) - 1; i >= 0; --i) {
      const Layer& layer = layers_[i];
      if (i + 1 < static_cast<int>(layers_.size())) {
        const NormRows trace = s.norms[i].from(rows, stride(layer.width));
        hidden_backward(layer, flat_, {}, dy, rows, trace, nullptr, gradients);
      }
      const ptrdiff_t x_row = i ? stride(layers_[i - 1].width) : inputs();
      const float* x = (i ? s.hidden[i - 1].get() : s.input.get()) + rows * x_row;
      weight_gradient(layer, x, x_row, dy, dy_row, rows, gradients);
      if (i == 0) break;
      backward(layer, 0, layer.inputs, dy, dy_row, dx, x_row, rows, {x, x_row});
      dy = dx;
      dy_row = x_row;
      std::swap(dx, other);
    }
    if (features_) {
      backward(layers_[0], 0, features_, dy, dy_row, s.dinput.get(), padded(features_), rows);
    }
  }

 private:
  // One squashed Gaussian, [SAC] eq. 26; a whole vector at a time, its surplus lanes are ignored.
  void sample(const float* head, const float* noise, float* action, float* log_prob) const {
    constexpr float kLog2 = 0.69314718055994531f, kHalfLog2Pi = 0.91893853320467274f;
    float total = 0.0f;
    for (int i = 0; i < actions_; i += kLanes) {
      const int n = std::min(kLanes, actions_ - i);
      Vec mean{}, log_std{}, draw{};
      for (int k = 0; k < n; ++k) {
        mean[k] = head[i + k];
        log_std[k] = std::clamp(head[actions_ + i + k], low_, high_);
        draw[k] = noise[i + k];
      }
      const Vec u = mean + exponential(log_std) * draw;
      const Vec size = u < 0.0f ? -u : u;
      const Vec e = exponential(-2.0f * size);
      const Vec t = (1.0f - e) / (1.0f + e);
      const Vec squashed = u < 0.0f ? -t : t;
      const Vec softplus = (size - u) + logarithm(1.0f + e);  // of -2u
      const Vec density = -0.5f * draw * draw - log_std - kHalfLog2Pi -
                          2.0f * (kLog2 - u - softplus);
      for (int k = 0; k < n; ++k) {
        action[i + k] = squashed[k];
        total += density[k];
      }
    }
    *log_prob = total;
  }

  const float* flat_;
  int vector_, features_, actions_;
  float low_, high_;  // bounds of the log standard deviation
  std::vector<Layer> layers_;  // hidden layers, then the heads
};

}  // namespace sac
