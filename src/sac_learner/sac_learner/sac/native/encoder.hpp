// The convolutional layers before the fully connected ones: a stack of convolution, relu, max pool.
#pragma once

#include <vector>

#include "convolution.hpp"
#include "interface.hpp"
#include "memory.hpp"
#include "optimizer.hpp"
#include "pictures.hpp"

namespace sac {

struct Convolution {
  Window window;
  Plane out;                       // after pooling; its border is the next layer's padding
  int pool, pool_stride;           // pool 1: none
  int rows, columns;               // positions that count, before pooling
  size_t weight, bias;             // offsets; filters are (out, in, ky, kx)
  size_t gradient;                 // among the chunks' gradients, in the same order
  Buffer forward, backward, biases;  // (ky, kx, in, out), (ky, kx, out, in)
  Buffer target_forward, target_biases;

  int taps() const { return window.kernel * window.kernel; }
  int filter() const { return taps() * window.in.channels; }
  size_t weights() const { return static_cast<size_t>(filter()) * window.channels; }

  // Copy the filters of some output channels into their other forms.
  void place(const float* flat, int begin, int end, bool target) {
    float* panels = target ? target_forward.get() : forward.get();
    float* offsets = target ? target_biases.get() : biases.get();
    const int inputs = window.in.channels, outputs = window.channels;
    for (int c = begin; c < end; ++c) {
      const float* source = flat + weight + static_cast<size_t>(c) * filter();
      for (int i = 0; i < inputs; ++i) {
        for (int tap = 0; tap < taps(); ++tap) {
          const float value = source[i * taps() + tap];
          panels[static_cast<size_t>(tap * inputs + i) * outputs + c] = value;
          if (!target) backward.get()[static_cast<size_t>(tap * outputs + c) * inputs + i] = value;
        }
      }
      offsets[c] = flat[bias + c];
    }
  }
};

class Encoder {
 public:
  // What a pass leaves for the way back, of kLanes images.
  struct Trace {
    std::vector<Buffer> outputs, which;
  };

  // A thread's own memory.
  struct Scratch {
    std::vector<Buffer> dweight, dbias, dy;  // per layer; dy like its output
    Buffer strip, input;
  };

  Encoder() = default;

  // Parameters start at `at` of the flat vector, gradients at `gradient`; both are moved on.
  Encoder(const SacShape& shape, bool with_target, size_t& at, size_t& gradient) {
    Plane in{shape.height, shape.width, shape.image_channels, 0};
    for (int i = 0; i < shape.convolutions; ++i) {
      const SacConvolution& given = shape.encoder[i];
      Convolution layer;
      in.border = given.padding;
      if (i) layers_.back().out.border = given.padding;
      layer.window = {in, given.channels, given.kernel, given.stride};
      layer.pool = given.pool;
      layer.pool_stride = given.pool_stride;
      const auto positions = [&](int size) {
        return (size + 2 * given.padding - given.kernel) / given.stride + 1;
      };
      layer.rows = positions(in.height);
      layer.columns = positions(in.width);
      Plane out{layer.rows, layer.columns, given.channels, 0};
      if (given.pool > 1) {
        out.height = (layer.rows - given.pool) / given.pool_stride + 1;
        out.width = (layer.columns - given.pool) / given.pool_stride + 1;
        layer.rows = (out.height - 1) * given.pool_stride + given.pool;
        layer.columns = (out.width - 1) * given.pool_stride + given.pool;
      }
      layer.out = in = out;
      layer.weight = at;
      layer.bias = at + layer.weights();
      layer.gradient = gradient;
      at += layer.weights() + given.channels;
      gradient += layer.weights() + given.channels;
      layer.forward = Buffer(layer.weights());
      layer.backward = Buffer(layer.weights());
      layer.biases = Buffer(given.channels);
      if (with_target) {
        layer.target_forward = Buffer(layer.weights());
        layer.target_biases = Buffer(given.channels);
      }
      layers_.push_back(std::move(layer));
    }
    gradient = (gradient + kLanes - 1) / kLanes * kLanes;
  }

  int features() const {
    if (layers_.empty()) return 0;
    const Plane& out = layers_.back().out;
    return out.height * out.width * out.channels;
  }
  const Plane& input() const { return layers_[0].window.in; }

  void refresh(const float* flat, bool target) {
    for (Convolution& layer : layers_) layer.place(flat, 0, layer.window.channels, target);
  }

  // Share the filters out for the optimiser. The encoder must stay where it is from now on.
  void add_tasks(std::vector<Task>& tasks) {
    for (Convolution& layer : layers_) {
      const int outputs = layer.window.channels, some = 8;
      for (int begin = 0; begin < outputs; begin += some) {
        const int end = std::min(begin + some, outputs);
        const size_t first = static_cast<size_t>(begin) * layer.filter();
        Task task;
        task.add(layer.weight + first, layer.gradient + first, (end - begin) * layer.filter());
        task.add(layer.bias + begin, layer.gradient + layer.weights() + begin, end - begin);
        task.place = [&layer, begin, end](const float* flat, bool target) {
          layer.place(flat, begin, end, target);
        };
        tasks.push_back(std::move(task));
      }
    }
  }

  Trace trace() const {
    Trace trace;
    for (const Convolution& layer : layers_) {
      trace.outputs.emplace_back(layer.out.size());
      trace.which.emplace_back(layer.pool > 1 ? layer.out.size() : 0);
    }
    return trace;
  }

  Scratch scratch() const {
    Scratch scratch;
    size_t widest = 0;
    for (const Convolution& layer : layers_) {
      scratch.dweight.emplace_back(layer.weights() * kLanes);
      scratch.dbias.emplace_back(static_cast<size_t>(layer.window.channels) * kLanes);
      scratch.dy.emplace_back(layer.out.size());
      const size_t row = static_cast<size_t>(layer.columns) * layer.window.channels * kLanes;
      widest = std::max(widest, row * strip_rows(layer));
    }
    scratch.strip = Buffer(widest);
    scratch.input = Buffer(input().size());
    return scratch;
  }

  // Features of kLanes images x, of which the first `count` go to rows of `features`.
  void forward(bool target, const float* x, const Trace& trace, float* features, ptrdiff_t row,
               int count) const {
    for (size_t i = 0; i < layers_.size(); ++i) {
      const Convolution& layer = layers_[i];
      const float* weight = target ? layer.target_forward.get() : layer.forward.get();
      const float* bias = target ? layer.target_biases.get() : layer.biases.get();
      float* y = trace.outputs[i].get();
      if (layer.pool > 1) {
        convolve_and_pool(layer.window, layer.out, layer.pool, layer.pool_stride, x, weight, bias,
                          y, trace.which[i].get());
      } else {
        convolve(layer.window, layer.out, x, weight, bias, y);
      }
      x = y;
    }
    each_feature([&](int feature, ptrdiff_t at) {
      for (int lane = 0; lane < count; ++lane) features[lane * row + feature] = x[at + lane];
    });
  }

  void clear(const Scratch& scratch) const {
    for (size_t i = 0; i < layers_.size(); ++i) {
      std::memset(scratch.dweight[i].get(), 0, layers_[i].weights() * kLanes * sizeof(float));
      std::memset(scratch.dbias[i].get(), 0, layers_[i].window.channels * kLanes * sizeof(float));
    }
  }

  // Add the gradients of kLanes images to the scratch, from those of their features.
  void backward(const float* x, const Trace& trace, const float* features, ptrdiff_t row,
                int count, const Scratch& scratch) const {
    float* dy = scratch.dy.back().get();
    each_feature([&](int feature, ptrdiff_t at) {
      for (int lane = 0; lane < kLanes; ++lane) {
        dy[at + lane] = lane < count ? features[lane * row + feature] : 0.0f;
      }
    });
    for (int i = static_cast<int>(layers_.size()) - 1; i >= 0; --i) {
      const Convolution& layer = layers_[i];
      float* dx = i ? scratch.dy[i - 1].get() : nullptr;
      if (dx) std::memset(dx, 0, layers_[i - 1].out.size() * sizeof(float));
      const int step = strip_rows(layer);
      for (int first = 0; first < layer.rows; first += step) {
        const Strip strip{first, std::min(step, layer.rows - first), layer.columns,
                          scratch.strip.get()};
        unpool(layer, trace, i, scratch.dy[i].get(), strip, scratch.strip.get());
        add_weight_gradient(layer.window, strip, i ? trace.outputs[i - 1].get() : x,
                            scratch.dweight[i].get(), scratch.dbias[i].get());
        if (dx) add_input_gradient(layer.window, strip, layer.backward.get(), dx);
      }
    }
  }

  // Write the gradients, summed over the lanes.
  void reduce(const Scratch& scratch, float* gradients) const {
    for (size_t n = 0; n < layers_.size(); ++n) {
      const Convolution& layer = layers_[n];
      const int inputs = layer.window.in.channels, outputs = layer.window.channels;
      float* to = gradients + layer.gradient;
      for (int tap = 0; tap < layer.taps(); ++tap) {
        for (int i = 0; i < inputs; ++i) {
          for (int c = 0; c < outputs; ++c) {
            const size_t at = static_cast<size_t>(tap * inputs + i) * outputs + c;
            to[c * layer.filter() + i * layer.taps() + tap] =
                sum(load(scratch.dweight[n].get() + at * kLanes));
          }
        }
      }
      for (int c = 0; c < outputs; ++c) {
        to[layer.weights() + c] = sum(load(scratch.dbias[n].get() + c * kLanes));
      }
    }
  }

 private:
  // Rows whose gradients stay in the first-level cache.
  static int strip_rows(const Convolution& layer) {
    if (layer.pool > 1) return layer.pool_stride;
    const int row = layer.columns * layer.window.channels * kLanes * sizeof(float);
    return std::clamp(32768 / row, 1, layer.rows);
  }

  // Call f(number of the feature, offset into the last plane); features are (channel, y, x).
  template <class F>
  void each_feature(F f) const {
    const Plane& out = layers_.back().out;
    for (int y = 0; y < out.height; ++y) {
      for (int x = 0; x < out.width; ++x) {
        for (int c = 0; c < out.channels; ++c) {
          f((c * out.height + y) * out.width + x, out.at(y, x) + c * kLanes);
        }
      }
    }
  }

  // Gradients before pooling and relu of the strip's rows.
  static void unpool(const Convolution& layer, const Trace& trace, int i, const float* dy,
                     const Strip& strip, float* to) {
    const int run = layer.out.channels * kLanes;
    if (layer.pool == 1) {
      for (int row = 0; row < strip.rows; ++row) {
        const ptrdiff_t at = layer.out.at(strip.first + row, 0);
        const float *g = dy + at, *y = trace.outputs[i].get() + at;
        for (int k = 0; k < strip.columns * run; k += kLanes, to += kLanes) {
          store(to, load(y + k) > 0.0f ? load(g + k) : Vec{});
        }
      }
      return;
    }
    std::memset(to, 0, static_cast<size_t>(strip.rows) * strip.columns * run * sizeof(float));
    const int row = strip.first / layer.pool_stride;
    for (int column = 0; column < layer.out.width; ++column) {
      const ptrdiff_t at = layer.out.at(row, column);
      for (int n = 0; n < layer.pool * layer.pool; ++n) {
        const int x = column * layer.pool_stride + n % layer.pool;
        float* out = to + (n / layer.pool * strip.columns + x) * run;
        for (int k = 0; k < run; k += kLanes) {
          const Mask here = load(trace.which[i].get() + at + k) == static_cast<float>(n);
          store(out + k, here ? load(dy + at + k) : Vec{});
        }
      }
    }
  }

  std::vector<Convolution> layers_;
};

}  // namespace sac
