// The critics Q_1 .. Q_N and their targets: fully connected relu layers and a single output each.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "dense.hpp"
#include "interface.hpp"

namespace sac {

// What each chunk of the batch adds up.
struct alignas(64) Sums {
  double loss, value, policy_loss, log_prob;
};

// The last layer of a critic, a single column.
struct Value {
  size_t weight = 0, bias = 0;
  size_t gradient = 0;  // among the chunks' gradients: (inputs padded, then the bias)
  int inputs = 0;
};

class Critics {
 public:
  // What a pass leaves, a row per transition.
  struct Trace {
    Buffer input;                                 // (features, vector, action)
    std::vector<std::vector<Buffer>> hidden, dy;  // per critic and layer
    std::vector<std::vector<NormTrace>> norms;
    Buffer q;                                     // per critic
  };

  // A thread's own memory, for a chunk of the batch.
  struct Scratch {
    Trace pass;  // of passes that are not kept
    Buffer dq, dy, dx, out;
    Buffer dfeatures, daction;  // padded(features) and padded(actions) wide
    std::vector<int> rows;
    std::vector<char> taken;
  };

  // Parameters start at `at` of the flat vector, gradients at `gradient`, which is moved on.
  Critics(const SacShape& shape, const float* flat, const float* target, int features, size_t at,
          size_t& gradient)
      : vector_(shape.vector),
        features_(features),
        actions_(shape.action),
        flat_(flat),
        target_(target) {
    const int n = shape.critics;
    int inputs = this->inputs();
    layers_.resize(n);
    values_.resize(n);
    // The arrays of all critics are stacked: weight (N, in, out), bias (N, 1, out), by layer.
    for (int i = 0; i < shape.critic_layers; ++i) {
      const int outputs = shape.critic_hidden[i];
      const size_t weights = static_cast<size_t>(inputs) * outputs;
      for (int j = 0; j < n; ++j) {
        Layer layer;
        layer.inputs = inputs;
        layer.outputs = outputs;
        layer.back = true;
        layer.first_back = i == 0 && features == 0 ? shape.vector : 0;
        layer.segments = {{at + j * weights, at + n * weights + static_cast<size_t>(j) * outputs,
                           outputs}};
        layer.prepare(target != nullptr, gradient);
        if (shape.critic_layer_norm) {
          const size_t scale = at + n * (weights + outputs) + static_cast<size_t>(j) * outputs;
          layer.norm.prepare(outputs, scale, scale + static_cast<size_t>(n) * outputs, gradient);
        }
        layers_[j].push_back(std::move(layer));
      }
      at += n * (weights + outputs * (shape.critic_layer_norm ? 3 : 1));
      inputs = outputs;
    }
    for (int j = 0; j < n; ++j) {
      values_[j].inputs = inputs;
      values_[j].weight = at + static_cast<size_t>(j) * inputs;
      values_[j].bias = at + static_cast<size_t>(n) * inputs + j;
      values_[j].gradient = gradient;
      gradient += padded(inputs) + kPanel;
    }
  }

  int size() const { return static_cast<int>(layers_.size()); }
  int inputs() const { return features_ + vector_ + actions_; }

  void refresh() {
    for (std::vector<Layer>& critic : layers_) {
      for (Layer& layer : critic) {
        layer.refresh(flat_, false);
        if (target_) layer.refresh(target_, true);
      }
    }
  }

  // Take memory for a batch.
  void reserve(int rows) { trace_ = trace(rows, true); }
  Trace& kept() { return trace_; }

  void add_tasks(std::vector<Task>& tasks) {
    for (int j = 0; j < size(); ++j) {
      for (size_t i = 0; i < layers_[j].size(); ++i) {
        Layer& layer = layers_[j][i];
        layer.add_tasks(tasks, [this, j, i](int begin, int end, int batch, float* out,
                                       float* scratch) {
          const Layer& layer = layers_[j][i];
          const ptrdiff_t x_row = i ? stride(layers_[j][i - 1].width) : inputs();
          const float* x = i ? trace_.hidden[j][i - 1].get() : trace_.input.get();
          weight_gradient(layer, begin, end, x, x_row, trace_.dy[j][i].get(),
                          stride(layer.width), batch, out, scratch);
        });
      }
      const Value& value = values_[j];
      Task task;
      task.add(value.weight, value.gradient, value.inputs);
      task.add(value.bias, value.gradient + padded(value.inputs), 1);
      tasks.push_back(std::move(task));
    }
  }

  Scratch scratch(int rows) const {
    int widest = padded(inputs());
    for (const Layer& layer : layers_[0]) widest = std::max(widest, layer.width);
    const size_t n = rows;
    Scratch s;
    s.pass = trace(rows, false);
    s.dq = Buffer(n);
    s.dy = Buffer(n * stride(widest));
    s.dx = Buffer(n * stride(widest));
    s.out = Buffer(n * (padded(actions_) + kPanel));
    s.dfeatures = Buffer(n * padded(features_));
    s.daction = Buffer(n * padded(actions_));
    s.rows.resize(rows);
    s.taken.resize(rows);
    return s;
  }

  // Dropout of one pass over a share of the batch; null masks: none.
  struct Masks {
    const float* const* layers;
    int batch, begin;
    // Of the n-th critic of the pass.
    Dropout of(size_t layer, int n, int units, int skipped = 0) const {
      if (!layers) return {};
      const size_t row = static_cast<size_t>(n) * batch + begin + skipped;
      return {layers[layer] + row * units, units};
    }
  };

  // Q_j, or its target, at rows [first, first + rows) of the trace's input, the n-th critic of the
  // pass; activations stay in the trace's buffers of `slot`.
  void evaluate(const Trace& t, int first, int j, int slot, bool target, int rows,
                const Masks& masks, int n, float* q) const {
    const float* parameters = target ? target_ : flat_;
    ptrdiff_t x_row = inputs();
    const float* x = t.input.get() + first * x_row;
    for (size_t i = 0; i < layers_[j].size(); ++i) {
      const Layer& layer = layers_[j][i];
      const ptrdiff_t y_row = stride(layer.width);
      float* y = t.hidden[slot][i].get() + first * y_row;
      hidden(layer, parameters, target, masks.of(i, n, layer.outputs), x, x_row, y, y_row, rows,
             t.norms[slot][i].from(first, y_row));
      x = y;
      x_row = y_row;
    }
    const Value& value = values_[j];
    const float* weight = parameters + value.weight;
    const float bias = parameters[value.bias];
    const int whole = value.inputs / kLanes * kLanes;
    for (int r = 0; r < rows; ++r) {
      const float* h = x + r * x_row;
      Vec total{};
      for (int i = 0; i < whole; i += kLanes) total += load(h + i) * load(weight + i);
      float rest = bias;
      for (int i = whole; i < value.inputs; ++i) rest += h[i] * weight[i];
      q[r] = rest + sum(total);
    }
  }

  // The least target at the inputs, of the critics in `subset` (none: of all).
  void least(Scratch& s, const SacStep& step, int begin, int rows, float* y) const {
    const Masks masks{step.target_masks, step.batch, begin};
    const int count = step.subset_size ? step.subset_size : size();
    float* q = s.pass.q.get();
    for (int n = 0; n < count; ++n) {
      const int j = step.subset_size ? step.subset[n] : n;
      // Without target networks nobody is left out of the pass that drew the masks.
      evaluate(s.pass, 0, j, 0, target_ != nullptr, rows, masks, target_ ? n : j, q);
      for (int r = 0; r < rows; ++r) y[r] = n == 0 || !(y[r] <= q[r]) ? q[r] : y[r];
    }
  }

  // The way back of J_Q, [SAC] eq. 5, for rows of the kept trace: leaves what the products of the
  // weights' gradients take, writes the others' of these chunks, and the gradient of the image
  // features. Adds loss and values to the chunks' sums.
  void gradient(Scratch& s, const SacStep& step, const float* y, const Block& block, Sums* sums,
                const Partials& partials) const {
    const int begin = block.begin(), rows = block.rows();
    const Masks masks{step.critic_masks, step.batch, begin};
    const Trace& t = trace_;
    float* q = s.pass.q.get();
    for (int j = 0; j < size(); ++j) {
      const std::vector<Layer>& layers = layers_[j];
      evaluate(t, begin, j, j, false, rows, masks, j, q);
      const ptrdiff_t last_row = stride(layers.back().width);
      const Value& value = values_[j];
      block.each([&](int chunk, int first, int count) {
        float* dvalue = partials.of(chunk) + value.gradient;
        std::memset(dvalue, 0, (padded(value.inputs) + kPanel) * sizeof(float));
        for (int r = first; r < first + count; ++r) {
          const float error = q[r] - y[r];
          sums[chunk].loss += 0.5 * static_cast<double>(error) * error;
          sums[chunk].value += q[r];
          q[r] = error / static_cast<float>(step.batch);
          const float* active = t.hidden[j].back().get() + (begin + r) * last_row;
          for (int i = 0; i < layers.back().width; i += kLanes) {
            store(dvalue + i, load(dvalue + i) + q[r] * load(active + i));
          }
          dvalue[padded(value.inputs)] += q[r];
        }
      });
      float* dy = t.dy[j].back().get() + begin * last_row;
      value_backward(j, t.hidden[j].back().get() + begin * last_row, q, rows, nullptr, dy);
      for (size_t i = layers.size() - 1;; --i) {
        const Layer& layer = layers[i];
        const ptrdiff_t row = stride(layer.width);
        block.each([&](int chunk, int first, int count) {
          float* gradients = partials.of(chunk);
          hidden_backward(layer, flat_, masks.of(i, j, layer.outputs, first), dy + first * row,
                          count, t.norms[j][i].from(begin + first, row), nullptr, gradients);
          bias_gradient(layer, dy + first * row, row, count, gradients);
        });
        if (i == 0) break;
        const ptrdiff_t x_row = stride(layers[i - 1].width);
        float* dx = t.dy[j][i - 1].get() + begin * x_row;
        backward(layer, 0, layer.inputs, dy, row, dx, x_row, rows,
                 {t.hidden[j][i - 1].get() + begin * x_row, x_row});
        dy = dx;
      }
      if (!features_) continue;
      const Layer& first = layers[0];
      float* out = s.dfeatures.get();
      if (j == 0) {
        backward(first, 0, features_, dy, stride(first.width), out, padded(features_), rows);
      } else {
        backward<Finish::kAdd>(first, 0, features_, dy, stride(first.width), out,
                               padded(features_), rows);
      }
    }
  }

  // What the policy climbs, [SAC] eq. 9 or the mean over the critics, into `climbed`, and its
  // derivative by the action into the scratch's `daction`.
  void action_gradient(Scratch& s, const SacStep& step, int begin, int rows,
                       float* climbed) const {
    const Masks masks{step.actor_masks, step.batch, begin};
    const bool mean = step.mean_reduction;
    const int n = size();
    float* q = s.pass.q.get();
    for (int j = 0; j < n; ++j) {
      evaluate(s.pass, 0, j, j, false, rows, masks, j, q + static_cast<size_t>(j) * rows);
    }
    for (int r = 0; r < rows; ++r) {
      float least = q[r], total = 0.0f;
      for (int j = 0; j < n; ++j) {
        const float one = q[static_cast<size_t>(j) * rows + r];
        total += one;
        if (!(least <= one)) least = one;
      }
      climbed[r] = mean ? total / static_cast<float>(n) : least;
    }
    std::memset(s.daction.get(), 0, static_cast<size_t>(rows) * padded(actions_) * sizeof(float));
    std::fill(s.taken.begin(), s.taken.end(), 0);
    // Only the least critic passes a gradient, so the rows are shared out among them.
    for (int j = 0; j < n; ++j) {
      int count = 0;
      float* dq = s.dq.get();
      for (int r = 0; r < rows; ++r) {
        if (mean) {
          dq[count] = 1.0f / static_cast<float>(n);
        } else if (!s.taken[r] && q[static_cast<size_t>(j) * rows + r] == climbed[r]) {
          s.taken[r] = 1;
          dq[count] = 1.0f;
        } else {
          continue;
        }
        s.rows[count++] = r;
      }
      add_action_gradient(s, j, masks, dq, count);
    }
  }

 private:
  // Memory for some rows; with what the weights' gradients take, or without.
  Trace trace(int rows, bool with_dy) const {
    const size_t n = rows;
    Trace t;
    t.input = Buffer(n * inputs());
    for (const std::vector<Layer>& critic : layers_) {
      t.hidden.emplace_back();
      t.dy.emplace_back();
      t.norms.emplace_back();
      for (const Layer& layer : critic) {
        t.hidden.back().emplace_back(n * stride(layer.width));
        t.norms.back().push_back(layer.norm.trace(rows, stride(layer.width)));
        if (with_dy) t.dy.back().emplace_back(n * stride(layer.width));
      }
    }
    t.q = Buffer(n * size());
    return t;
  }

  // Gradient of the last hidden layer h from dq, for the rows that `index` names (null: all).
  void value_backward(int j, const float* h, const float* dq, int rows, const int* index,
                      float* dy) const {
    const Layer& last = layers_[j].back();
    const float* weight = flat_ + values_[j].weight;
    const ptrdiff_t row = stride(last.width);
    for (int r = 0; r < rows; ++r) {
      const float* active = h + (index ? index[r] : r) * row;
      float* out = dy + r * row;
      const float g = dq[r];
      for (int i = 0; i < last.outputs; ++i) out[i] = active[i] > 0.0f ? g * weight[i] : 0.0f;
      for (int i = last.outputs; i < last.width; ++i) out[i] = 0.0f;
    }
  }

  // Add dQ_j/da at the rows that the scratch lists.
  void add_action_gradient(Scratch& s, int j, const Masks& masks, const float* dq,
                           int count) const {
    const int* index = s.rows.data();
    float *dy = s.dy.get(), *dx = s.dx.get();
    value_backward(j, s.pass.hidden[j].back().get(), dq, count, index, dy);
    for (size_t i = layers_[j].size() - 1;; --i) {
      const Layer& layer = layers_[j][i];
      hidden_backward(layer, flat_, masks.of(i, j, layer.outputs), dy, count,
                      s.pass.norms[j][i].from(0, stride(layer.width)), index, nullptr);
      if (i == 0) break;
      const ptrdiff_t x_row = stride(layers_[j][i - 1].width);
      const Active active{s.pass.hidden[j][i - 1].get(), x_row, index};
      backward(layer, 0, layer.inputs, dy, stride(layer.width), dx, x_row, count, active);
      std::swap(dx, dy);
    }
    const Layer& first = layers_[j][0];
    const ptrdiff_t row = padded(actions_) + kPanel;
    const int offset = backward(first, features_ + vector_, inputs(), dy, stride(first.width),
                                s.out.get(), row, count);
    for (int r = 0; r < count; ++r) {
      float* to = s.daction.get() + static_cast<size_t>(index[r]) * padded(actions_);
      const float* from = s.out.get() + r * row + offset;
      for (int i = 0; i < actions_; ++i) to[i] += from[i];
    }
  }

  int vector_, features_, actions_;
  const float *flat_, *target_;             // target null: no target networks
  std::vector<std::vector<Layer>> layers_;  // per critic, hidden layers
  std::vector<Value> values_;
  Trace trace_;                             // of the batch
};

}  // namespace sac
