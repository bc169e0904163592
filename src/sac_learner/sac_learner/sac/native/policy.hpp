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
  // What a pass over the batch leaves: rows of next states, then of states.
  struct Trace {
    Buffer input, heads, action, log_prob;
    std::vector<Buffer> hidden;
    std::vector<NormTrace> norms;
    std::vector<Buffer> dy;  // gradients by hidden layers, then heads, of states only
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

  // Take memory for a batch.
  void reserve(int rows) {
    const size_t n = rows, twice = 2 * n;
    Trace t;
    t.input = Buffer(twice * inputs());
    t.heads = Buffer(twice * padded(2 * actions_));
    t.action = Buffer(twice * actions_);
    t.log_prob = Buffer(twice);
    for (const Layer& layer : layers_) {
      t.dy.emplace_back(n * stride(layer.width));
      if (t.dy.size() == layers_.size()) break;
      t.hidden.emplace_back(twice * stride(layer.width));
      t.norms.push_back(layer.norm.trace(2 * rows, stride(layer.width)));
    }
    trace_ = std::move(t);
    states_ = rows;
  }
  const Trace& kept() const { return trace_; }
  int states() const { return states_; }  // row at which states begin

  void add_tasks(std::vector<Task>& tasks) {
    for (size_t i = 0; i < layers_.size(); ++i) {
      layers_[i].add_tasks(tasks, [this, i](int begin, int end, int batch, float* out,
                                       float* scratch) {
        const ptrdiff_t x_row = i ? stride(layers_[i - 1].width) : inputs();
        const float* x = (i ? trace_.hidden[i - 1].get() : trace_.input.get()) + states_ * x_row;
        weight_gradient(layers_[i], begin, end, x, x_row, trace_.dy[i].get(),
                        stride(layers_[i].width), batch, out, scratch);
      });
    }
  }

  // Means and log standard deviations for rows [first, first + rows) of the input.
  void forward(int first, int rows) const {
    const Trace& s = trace_;
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
  void sample(int first, int rows, const float* noise) const {
    const Trace& s = trace_;
    for (int r = 0; r < rows; ++r) {
      const int row = first + r;
      sample(s.heads.get() + static_cast<size_t>(row) * padded(2 * actions_),
             noise + static_cast<size_t>(r) * actions_,
             s.action.get() + static_cast<size_t>(row) * actions_, s.log_prob.get() + row);
    }
  }

  // The way back of J_pi, [SAC] eq. 9, for some states, given their noise and dQ/da,
  // padded(actions) wide: leaves what the products of the weights' gradients take, writes the
  // others' of these chunks, and the gradient of the image features, padded(features) wide.
  void gradient(const Block& block, const float* noise, const float* dq_da, float alpha,
                float scale, float* dfeatures, const Partials& partials) const {
    const int begin = block.begin(), rows = block.rows();
    const Trace& s = trace_;
    const int a = actions_, last = static_cast<int>(layers_.size()) - 1;
    const size_t first = states_ + begin;
    const ptrdiff_t head_row = padded(2 * a), dhead_row = stride(layers_[last].width);
    float* dy = s.dy[last].get() + begin * dhead_row;
    for (int r = 0; r < rows; ++r) {
      const float* head = s.heads.get() + (first + r) * head_row;
      const float* action = s.action.get() + (first + r) * a;
      float* out = dy + r * dhead_row;
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
    for (int i = last;; --i) {
      const Layer& layer = layers_[i];
      const ptrdiff_t dy_row = stride(layer.width);
      block.each([&](int chunk, int skipped, int count) {
        float* gradients = partials.of(chunk);
        float* of_chunk = dy + skipped * dy_row;
        if (i < last) {
          hidden_backward(layer, flat_, {}, of_chunk, count,
                          s.norms[i].from(static_cast<int>(first) + skipped, dy_row), nullptr,
                          gradients);
        }
        bias_gradient(layer, of_chunk, dy_row, count, gradients);
      });
      if (i == 0) break;
      const ptrdiff_t x_row = stride(layers_[i - 1].width);
      float* dx = s.dy[i - 1].get() + begin * x_row;
      backward(layer, 0, layer.inputs, dy, dy_row, dx, x_row, rows,
               {s.hidden[i - 1].get() + first * x_row, x_row});
      dy = dx;
    }
    if (features_) {
      backward(layers_[0], 0, features_, dy, stride(layers_[0].width), dfeatures,
               padded(features_), rows);
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
  Trace trace_;                // of the batch
  int states_ = 0;
};

}  // namespace sac
