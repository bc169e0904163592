// One critic: fully connected relu layers and a single output.
#pragma once

#include <cstring>
#include <utility>
#include <vector>

#include "dense.hpp"

namespace sac {

// The last layer, a single column.
struct Value {
  size_t weight = 0, bias = 0;  // offsets into the flat parameters
  size_t gradient = 0;          // among the chunks' gradients: (inputs padded, then the bias)
  int inputs = 0;

  // Take a place among the chunks' gradients from `end` on.
  void prepare(size_t& end) {
    gradient = end;
    end += padded(inputs) + kPanel;
  }

  void add_tasks(std::vector<Task>& tasks) const {
    Task task;
    task.add(weight, gradient, inputs);
    task.add(bias, gradient + padded(inputs), 1);
    tasks.push_back(std::move(task));
  }

  // The outputs for rows of the last hidden layer, `row` apart.
  void forward(const float* parameters, const float* hidden, ptrdiff_t row, int rows,
               float* q) const {
    const float* w = parameters + weight;
    const float b = parameters[bias];
    const int whole = inputs / kLanes * kLanes;
    for (int r = 0; r < rows; ++r) {
      const float* h = hidden + r * row;
      Vec total{};
      for (int i = 0; i < whole; i += kLanes) total += load(h + i) * load(w + i);
      float rest = b;
      for (int i = whole; i < inputs; ++i) rest += h[i] * w[i];
      q[r] = rest + sum(total);
    }
  }

  void clear(float* gradients) const {
    std::memset(gradients + gradient, 0, (padded(inputs) + kPanel) * sizeof(float));
  }

  // Add what one row, its hidden layer and its dQ, contributes to the gradients of the parameters.
  void add_gradient(const float* hidden, float dq, float* gradients) const {
    float* out = gradients + gradient;
    for (int i = 0; i < padded(inputs); i += kLanes) {
      store(out + i, load(out + i) + dq * load(hidden + i));
    }
    out[padded(inputs)] += dq;
  }

  // Gradient of the hidden layer from dq, for the rows that `index` names (null: all).
  void backward(const float* parameters, const float* hidden, ptrdiff_t row, const float* dq,
                int rows, const int* index, float* dy) const {
    const float* w = parameters + weight;
    for (int r = 0; r < rows; ++r) {
      const float* active = hidden + (index ? index[r] : r) * row;
      float* out = dy + r * row;
      const float g = dq[r];
      for (int i = 0; i < inputs; ++i) out[i] = active[i] > 0.0f ? g * w[i] : 0.0f;
      for (int i = inputs; i < padded(inputs); ++i) out[i] = 0.0f;
    }
  }
};

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

struct Critic {
  // What a pass leaves by layer, a row per transition.
  struct Trace {
    std::vector<Buffer> hidden, dy;
    std::vector<NormTrace> norms;
  };

  std::vector<Layer> layers;
  Value value;

  // Memory for some rows; with what the weights' gradients take, or without.
  Trace trace(int rows, bool with_dy) const {
    const size_t n = rows;
    Trace t;
    for (const Layer& layer : layers) {
      t.hidden.emplace_back(n * stride(layer.width));
      t.norms.push_back(layer.norm.trace(rows, stride(layer.width)));
      if (with_dy) t.dy.emplace_back(n * stride(layer.width));
    }
    return t;
  }

  // Q at rows of x, as the n-th critic of the pass, or its target, given their parameters; the
  // activations are left from row `first` of the trace on.
  void evaluate(const Trace& t, int first, const float* x, const float* parameters, bool target,
                int rows, const Masks& masks, int n, float* q) const {
    ptrdiff_t x_row = layers[0].inputs;
    for (size_t i = 0; i < layers.size(); ++i) {
      const Layer& layer = layers[i];
      const ptrdiff_t y_row = stride(layer.width);
      float* y = t.hidden[i].get() + first * y_row;
      hidden(layer, parameters, target, masks.of(i, n, layer.outputs), x, x_row, y, y_row, rows,
             t.norms[i].from(first, y_row));
      x = y;
      x_row = y_row;
    }
    value.forward(parameters, x, x_row, rows, q);
  }

  // The way back from dQ of a block: leaves what the products of the weights' gradients take, and
  // writes the others' of these chunks. Returns the gradient of the first layer's product.
  const float* backward(const Trace& t, const float* parameters, const float* dq,
                        const Block& block, const Masks& masks, int n,
                        const Partials& partials) const {
    const int begin = block.begin(), rows = block.rows();
    const ptrdiff_t last_row = stride(layers.back().width);
    float* dy = t.dy.back().get() + begin * last_row;
    value.backward(parameters, t.hidden.back().get() + begin * last_row, last_row, dq, rows,
                   nullptr, dy);
    for (size_t i = layers.size() - 1;; --i) {
      const Layer& layer = layers[i];
      const ptrdiff_t row = stride(layer.width);
      block.each([&](int chunk, int first, int count) {
        float* gradients = partials.of(chunk);
        hidden_backward(layer, parameters, masks.of(i, n, layer.outputs, first), dy + first * row,
                        count, t.norms[i].from(begin + first, row), nullptr, gradients);
        bias_gradient(layer, dy + first * row, row, count, gradients);
      });
      if (i == 0) return dy;
      const ptrdiff_t x_row = stride(layers[i - 1].width);
      float* dx = t.dy[i - 1].get() + begin * x_row;
      sac::backward(layer, 0, layer.inputs, dy, row, dx, x_row, rows,
                    {t.hidden[i - 1].get() + begin * x_row, x_row});
      dy = dx;
    }
  }

  // The way back from dQ of `count` rows that `index` names, no parameter's gradient; dy and dx are
  // memory. Returns the gradient of the first layer's product.
  const float* backward(const Trace& t, const float* parameters, const float* dq,
                        const int* index, int count, const Masks& masks, int n, float* dy,
                        float* dx) const {
    value.backward(parameters, t.hidden.back().get(), stride(layers.back().width), dq, count,
                   index, dy);
    for (size_t i = layers.size() - 1;; --i) {
      const Layer& layer = layers[i];
      hidden_backward(layer, parameters, masks.of(i, n, layer.outputs), dy, count,
                      t.norms[i].from(0, stride(layer.width)), index, nullptr);
      if (i == 0) return dy;
      const ptrdiff_t x_row = stride(layers[i - 1].width);
      const Active active{t.hidden[i - 1].get(), x_row, index};
      sac::backward(layer, 0, layer.inputs, dy, stride(layer.width), dx, x_row, count, active);
      std::swap(dx, dy);
    }
  }
};

}  // namespace sac
