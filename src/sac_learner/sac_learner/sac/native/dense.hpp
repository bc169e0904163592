// Fully connected layers y = x W + b in the forms that the products want.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "gemm.hpp"
#include "memory.hpp"
#include "norm.hpp"
#include "optimizer.hpp"

namespace sac {

inline int stride(int width) { return width + 16; }  // rows 1 KiB apart would share few cache sets

// Columns of a layer that are one array; the actor's heads are one layer of two segments.
struct Segment {
  size_t weight, bias;  // offsets into the flat parameters, weight is (inputs, columns)
  int columns;
};

constexpr int kTaskWeights = 4096;  // that one thread steps at a time, at least

// Weights are kept in three forms: the flat vector that Python owns, panels for x W, and panels for
// dy W^T; Adam writes all of them while a row is in cache.
struct Layer {
  int inputs = 0, outputs = 0, width = 0;  // width: outputs padded to full panels
  int first_back = 0;                      // inputs from here on pass a gradient on
  bool back = false;
  std::vector<Segment> segments;
  size_t bias_gradient = 0;                // offset among the chunks' gradients
  Norm norm;
  Buffer forward, backward, bias;          // panels of W and W^T, padded bias
  Buffer target_forward, target_bias;

  // Take memory, and a place among the chunks' gradients from `end` on.
  void prepare(bool with_target, size_t& end) {
    width = padded(outputs);
    forward = Buffer(static_cast<size_t>(width) * inputs);
    bias = Buffer(width);
    if (back) backward = Buffer(static_cast<size_t>(padded(inputs - first_back)) * outputs);
    if (with_target) {
      target_forward = Buffer(static_cast<size_t>(width) * inputs);
      target_bias = Buffer(width);
    }
    bias_gradient = end;
    end += width;
  }

  // Copy one row of the flat parameters (row `inputs`: the bias) into its panels.
  void place(const float* flat, int row, bool target) {
    float* panels = target ? target_forward.get() : forward.get();
    float* biases = target ? target_bias.get() : bias.get();
    int column = 0;
    for (const Segment& s : segments) {
      if (row == inputs) {
        std::memcpy(biases + column, flat + s.bias, s.columns * sizeof(float));
        column += s.columns;
        continue;
      }
      const float* source = flat + s.weight + static_cast<size_t>(row) * s.columns;
      for (int i = 0; i < s.columns;) {
        const int at = column + i, panel = at / kPanel, offset = at % kPanel;
        const int n = std::min(kPanel - offset, s.columns - i);
        float* to = panels + (static_cast<size_t>(panel) * inputs + row) * kPanel + offset;
        if (n == kPanel) {
          std::memcpy(to, source + i, kPanel * sizeof(float));  // known, hence no call
        } else {
          std::memcpy(to, source + i, n * sizeof(float));
        }
        i += n;
      }
      column += s.columns;
    }
  }

  // Copy rows [begin, end) into W^T's panels.
  void place_back(const float* flat, int begin, int end) {
    if (!back) return;
    begin = std::max(begin, first_back);
    end = std::min(end, inputs);
    int column = 0;
    for (const Segment& s : segments) {
      for (int row = begin; row < end;) {
        const int at = row - first_back, panel = at / kPanel, offset = at % kPanel;
        const int n = std::min(kLanes - offset % kLanes, end - row);
        float* out = backward.get() + static_cast<size_t>(panel) * outputs * kPanel + offset;
        const float* source = flat + s.weight + static_cast<size_t>(row) * s.columns;
        int i = 0;
        for (; n == kLanes && i + kLanes <= s.columns; i += kLanes) {
          transpose(source + i, s.columns, out + static_cast<size_t>(column + i) * kPanel, kPanel);
        }
        for (; i < s.columns; ++i) {
          float* to = out + static_cast<size_t>(column + i) * kPanel;
          for (int r = 0; r < n; ++r) to[r] = source[static_cast<size_t>(r) * s.columns + i];
        }
        row += n;
      }
      column += s.columns;
    }
  }

  // Where `place` and `place_back` write rows [begin, end), for a product with as many panels.
  Wanted forms(int begin, int end) const {
    Wanted w{};
    const auto add = [&](float* array, ptrdiff_t panel, size_t size) {
      w.arrays[w.count] = array;
      w.panels[w.count] = panel;
      w.sizes[w.count++] = size;
    };
    const ptrdiff_t panel = static_cast<ptrdiff_t>(inputs) * kPanel;
    const size_t rows = static_cast<size_t>(end - begin) * kPanel;
    add(forward.get() + static_cast<size_t>(begin) * kPanel, panel, rows);
    if (back && begin >= first_back) {
      const int at = begin - first_back;
      add(backward.get() + static_cast<size_t>(at / kPanel) * outputs * kPanel + at % kPanel, rows,
          rows);
    }
    if (target_forward.get()) {
      add(target_forward.get() + static_cast<size_t>(begin) * kPanel, panel, rows);
    }
    return w;
  }

  void refresh(const float* flat, bool target) {
    for (int row = 0; row <= inputs; ++row) place(flat, row, target);
    if (!target) place_back(flat, 0, inputs);
  }

  // Share the rows out for the optimiser; product(begin, end, batch, out, scratch) writes the
  // gradient of rows of W. The layer must stay where it is from now on.
  template <class F>
  void add_tasks(std::vector<Task>& tasks, F product) {
    const auto add = [&](Task& task, int row, int at, size_t partial) {
      for (const Segment& s : segments) {
        const bool last = row == inputs;
        const size_t weights = s.weight + static_cast<size_t>(row) * s.columns;
        task.add_at(at, last ? s.bias : weights, partial, s.columns);
        at += s.columns;
        if (last) partial += s.columns;
      }
      task.size += width;
    };
    const int some = std::max(1, kTaskWeights / width / kLanes) * kLanes;  // lines of W^T's panels
    for (int begin = 0; begin < inputs; begin += some) {
      const int end = std::min(begin + some, inputs);
      Task task;
      task.matrix = this;
      task.begin = begin;
      task.end = end;
      for (int row = begin; row < end; ++row) add(task, row, task.size, Task::kProduct);
      if (end == inputs) add(task, inputs, task.size, bias_gradient);
      task.product = product;
      task.place = [this, begin, end](const float* flat, bool target) {
        for (int row = begin; row < end; ++row) place(flat, row, target);
        if (end == inputs) place(flat, inputs, target);
        if (!target) place_back(flat, begin, end);
      };
      tasks.push_back(std::move(task));
    }
    norm.add_tasks(tasks);
  }
};

// y = x W + b, or max(0, x W + b).
inline void forward(const Layer& layer, bool target, const float* x, ptrdiff_t x_row, float* y,
                    ptrdiff_t y_row, int rows, bool relu) {
  Product g{};
  g.rows = rows;
  g.inner = layer.inputs;
  g.columns = layer.width;
  g.a = x;
  g.a_row = x_row;
  g.a_inner = 1;
  g.b = target ? layer.target_forward.get() : layer.forward.get();
  g.b_panel = static_cast<ptrdiff_t>(layer.inputs) * kPanel;
  g.b_inner = kPanel;
  g.c = y;
  g.c_row = y_row;
  g.bias = target ? layer.target_bias.get() : layer.bias.get();
  if (relu) {
    multiply<Finish::kBiasRelu>(g);
  } else {
    multiply<Finish::kBias>(g);
  }
}

// A hidden layer: product, dropout, normalisation, relu. `flat` holds the parameters.
inline void hidden(const Layer& layer, const float* flat, bool target, const Dropout& dropout,
                   const float* x, ptrdiff_t x_row, float* y, ptrdiff_t y_row, int rows,
                   const NormRows& trace) {
  const bool plain = !layer.norm.present && !dropout.factors;
  forward(layer, target, x, x_row, y, y_row, rows, plain);
  if (plain) return;
  layer.norm.forward(flat, dropout, layer.outputs, y, y_row, rows, trace);
}

// Forward activations of a relu; `index` names their rows (null: the same rows as the gradient's).
struct Active {
  const float* values = nullptr;  // null: everything is active
  ptrdiff_t row = 0;
  const int* index = nullptr;
};

// dx = dy W^T for the inputs from `from` on up to `to`, where `active`. The panel in which `from`
// lies is written as a whole: returns the column of dx at which `from` stands.
template <Finish Otherwise = Finish::kPlain>
inline int backward(const Layer& layer, int from, int to, const float* dy, ptrdiff_t dy_row,
                    float* dx, ptrdiff_t dx_row, int rows, const Active& active = {}) {
  const int skipped = (from - layer.first_back) / kPanel;
  Product g{};
  g.rows = rows;
  g.inner = layer.outputs;
  g.columns = to - layer.first_back - skipped * kPanel;
  g.a = dy;
  g.a_row = dy_row;
  g.a_inner = 1;
  g.b_panel = static_cast<ptrdiff_t>(layer.outputs) * kPanel;
  g.b = layer.backward.get() + skipped * g.b_panel;
  g.b_inner = kPanel;
  g.c = dx;
  g.c_row = dx_row;
  g.mask = active.values;
  g.mask_row = active.row;
  g.mask_index = active.index;
  if (active.values) {
    multiply<Finish::kMask>(g);
  } else {
    multiply<Otherwise>(g);
  }
  return from - layer.first_back - skipped * kPanel;
}

// The way back through normalisation and dropout of a hidden layer, in place.
inline void hidden_backward(const Layer& layer, const float* flat, const Dropout& dropout,
                            float* dy, int rows, const NormRows& trace, const int* index,
                            float* gradients) {
  if (!layer.norm.present && !dropout.factors) return;
  if (gradients) layer.norm.clear(gradients);
  layer.norm.backward(flat, dropout, layer.outputs, dy, stride(layer.width), rows, trace, index,
                      gradients);
}

// Gradient of rows [begin, end) of W from x and dy, written, not added. Tiles of x^T are copied to
// `scratch` first, else their lines alone would fill the first-level cache.
inline void weight_gradient(const Layer& layer, int begin, int end, const float* x,
                            ptrdiff_t x_row, const float* dy, ptrdiff_t dy_row, int batch,
                            float* out, float* scratch) {
  const Tiles tiles(end - begin);
  const ptrdiff_t tile = static_cast<ptrdiff_t>(batch) * kTileRows;
  for (int k = 0; k < batch; ++k) {
    const float* from = x + begin + k * x_row;
    float* to = scratch + static_cast<ptrdiff_t>(k) * kTileRows;
    for (int i = 0; i < kTileRows * tiles.count; i += kLanes) {
      __builtin_prefetch(from + 8 * x_row + i, 0, 3);
    }
    for (int i = 0; i < tiles.count; ++i) {
      std::memcpy(to + i * tile, from + tiles.begin(i), kTileRows * sizeof(float));
    }
  }
  Product g{};
  g.rows = end - begin;
  g.inner = batch;
  g.columns = layer.width;
  g.a = scratch;
  g.a_row = 1;
  g.a_inner = kTileRows;
  g.a_tile = tile;
  g.b = dy;
  g.b_panel = kPanel;
  g.b_inner = dy_row;
  g.c = out;
  g.c_row = layer.width;
  g.wanted = layer.forms(begin, end);
  multiply<Finish::kPlain>(g);
}

// A chunk's gradient of b, written, not added.
inline void bias_gradient(const Layer& layer, const float* dy, ptrdiff_t dy_row, int rows,
                          float* gradients) {
  for (int i = 0; i < layer.width; i += kLanes) {
    Vec total{};
    for (int r = 0; r < rows; ++r) total += load(dy + r * dy_row + i);
    store(gradients + layer.bias_gradient + i, total);
  }
}

}  // namespace sac
