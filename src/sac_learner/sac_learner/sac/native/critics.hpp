// The critics Q_1 .. Q_N and their targets.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "critic.hpp"
#include "interface.hpp"

namespace sac {

// What each chunk of the batch adds up.
struct alignas(64) Sums {
  double loss, value, policy_loss, log_prob;
};

class Critics {
 public:
  // What a pass leaves, a row per transition.
  struct Trace {
    Buffer input;  // (features, vector, action)
    std::vector<Critic::Trace> critics;
    Buffer q;      // per critic
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
        target_(target),
        critics_(shape.critics) {
    const int n = shape.critics;
    int inputs = this->inputs();
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
        critics_[j].layers.push_back(std::move(layer));
      }
      at += n * (weights + outputs * (shape.critic_layer_norm ? 3 : 1));
      inputs = outputs;
    }
    for (int j = 0; j < n; ++j) {
      Value& value = critics_[j].value;
      value.inputs = inputs;
      value.weight = at + static_cast<size_t>(j) * inputs;
      value.bias = at + static_cast<size_t>(n) * inputs + j;
      value.prepare(gradient);
    }
  }

  int size() const { return static_cast<int>(critics_.size()); }
  int inputs() const { return features_ + vector_ + actions_; }

  void refresh() {
    for (Critic& critic : critics_) {
      for (Layer& layer : critic.layers) {
        layer.refresh(flat_, false);
        if (target_) layer.refresh(target_, true);
      }
    }
  }

  // Take memory for a batch.
  void reserve(int rows) { trace_ = trace(rows, true); }
  const Trace& kept() const { return trace_; }

  void add_tasks(std::vector<Task>& tasks) {
    for (int j = 0; j < size(); ++j) {
      std::vector<Layer>& layers = critics_[j].layers;
      for (size_t i = 0; i < layers.size(); ++i) {
        layers[i].add_tasks(tasks, [this, j, i](int begin, int end, int batch, float* out,
                                           float* scratch) {
          const std::vector<Layer>& layers = critics_[j].layers;
          const Critic::Trace& t = trace_.critics[j];
          const ptrdiff_t x_row = i ? stride(layers[i - 1].width) : inputs();
          const float* x = i ? t.hidden[i - 1].get() : trace_.input.get();
          weight_gradient(layers[i], begin, end, x, x_row, t.dy[i].get(),
                          stride(layers[i].width), batch, out, scratch);
        });
      }
      critics_[j].value.add_tasks(tasks);
    }
  }

  Scratch scratch(int rows) const {
    int widest = padded(inputs());
    for (const Layer& layer : critics_[0].layers) widest = std::max(widest, layer.width);
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

  // The least target at the inputs, of the critics in `subset` (none: of all).
  void least(Scratch& s, const SacStep& step, int begin, int rows, float* y) const {
    const Masks masks{step.target_masks, step.batch, begin};
    const int count = step.subset_size ? step.subset_size : size();
    float* q = s.pass.q.get();
    for (int n = 0; n < count; ++n) {
      const int j = step.subset_size ? step.subset[n] : n;
      // Without target networks nobody is left out of the pass that drew the masks.
      critics_[j].evaluate(s.pass.critics[0], 0, s.pass.input.get(), target_ ? target_ : flat_,
                           target_ != nullptr, rows, masks, target_ ? n : j, q);
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
      const Critic& critic = critics_[j];
      const Critic::Trace& of_critic = t.critics[j];
      critic.evaluate(of_critic, begin, t.input.get() + begin * static_cast<ptrdiff_t>(inputs()),
                      flat_, false, rows, masks, j, q);
      const ptrdiff_t last_row = stride(critic.layers.back().width);
      block.each([&](int chunk, int first, int count) {
        float* gradients = partials.of(chunk);
        critic.value.clear(gradients);
        for (int r = first; r < first + count; ++r) {
          const float error = q[r] - y[r];
          sums[chunk].loss += 0.5 * static_cast<double>(error) * error;
          sums[chunk].value += q[r];
          q[r] = error / static_cast<float>(step.batch);
          critic.value.add_gradient(of_critic.hidden.back().get() + (begin + r) * last_row, q[r],
                                    gradients);
        }
      });
      const float* dy = critic.backward(of_critic, flat_, q, block, masks, j, partials);
      if (!features_) continue;
      const Layer& first = critic.layers[0];
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
      critics_[j].evaluate(s.pass.critics[j], 0, s.pass.input.get(), flat_, false, rows, masks, j,
                           q + static_cast<size_t>(j) * rows);
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
    for (const Critic& critic : critics_) t.critics.push_back(critic.trace(rows, with_dy));
    t.q = Buffer(n * size());
    return t;
  }

  // Add dQ_j/da at the rows that the scratch lists.
  void add_action_gradient(Scratch& s, int j, const Masks& masks, const float* dq,
                           int count) const {
    const int* index = s.rows.data();
    const float* dy = critics_[j].backward(s.pass.critics[j], flat_, dq, index, count, masks, j,
                                           s.dy.get(), s.dx.get());
    const Layer& first = critics_[j].layers[0];
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
  const float *flat_, *target_;  // target null: no target networks
  std::vector<Critic> critics_;
  Trace trace_;                  // of the batch
};

}  // namespace sac
