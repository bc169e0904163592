// One update of Soft Actor-Critic for vector observations, relu layers and any number of critics.
//
// Each thread takes a share of the batch through all layers of all networks with its own serial
// products, so an update needs five barriers instead of two per matrix product. Weights are kept in
// three forms: the flat vectors that Python owns, panels for x W, and panels for dy W^T; Adam writes
// all of them while a row is in cache. The mathematics is that of reference.py, equations there.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "functions.hpp"
#include "gemm.hpp"
#include "team.hpp"

namespace sac {
namespace {

constexpr float kLog2 = 0.69314718055994531f;
constexpr float kHalfLog2Pi = 0.91893853320467274f;
constexpr float kClipEpsilon = 1e-6f;
constexpr int kSpan = 512;      // elements of a gradient summed at a time
constexpr int kTaskRows = 8;    // rows of a matrix that a thread's optimiser takes at a time

struct Free {
  void operator()(float* p) const { std::free(p); }
};

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t size) {
    const size_t bytes = (size * sizeof(float) + 4095) / 4096 * 4096 + 4096;
    data_.reset(static_cast<float*>(std::aligned_alloc(4096, bytes)));
    if (!data_) throw std::bad_alloc();
    std::memset(data_.get(), 0, bytes);
  }
  float* get() const { return data_.get(); }

 private:
  std::unique_ptr<float, Free> data_;
};

// A layer y = x W + b; the heads of the actor are one layer of two segments side by side.
struct Segment {
  size_t weight, bias;  // offsets into the flat parameters, weight is (inputs, columns)
  int columns;
};

struct Layer {
  int inputs = 0, outputs = 0, width = 0;  // width: outputs padded to full panels
  int first_back = 0;                      // inputs from here on pass a gradient on
  bool back = false;
  std::vector<Segment> segments;
  size_t gradient = 0;                     // offset into the gradients, (inputs + 1, width)
  Buffer forward, backward, bias;          // panels of W and W^T, padded bias
  Buffer target_forward, target_bias;

  void prepare(bool with_target) {
    width = padded(outputs);
    forward = Buffer(static_cast<size_t>(width) * inputs);
    bias = Buffer(width);
    if (back) backward = Buffer(static_cast<size_t>(padded(inputs - first_back)) * outputs);
    if (with_target) {
      target_forward = Buffer(static_cast<size_t>(width) * inputs);
      target_bias = Buffer(width);
    }
  }

  // Copy one row of the flat parameters (row `inputs`: the bias) into its other forms.
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
        std::memcpy(panels + (static_cast<size_t>(panel) * inputs + row) * kPanel + offset,
                    source + i, n * sizeof(float));
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
        const int n = std::min(kPanel - offset, end - row);
        float* out = backward.get() + static_cast<size_t>(panel) * outputs * kPanel + offset;
        const float* source = flat + s.weight + static_cast<size_t>(row) * s.columns;
        for (int i = 0; i < s.columns; ++i) {
          float* to = out + static_cast<size_t>(column + i) * kPanel;
          for (int r = 0; r < n; ++r) to[r] = source[static_cast<size_t>(r) * s.columns + i];
        }
        row += n;
      }
      column += s.columns;
    }
  }
};

// The last layer of a critic, a single column.
struct Value {
  size_t weight = 0, bias = 0, gradient = 0;  // gradient: (inputs padded, then the bias)
  int inputs = 0;
};

struct Task {
  Layer* layer;  // null: a Value
  const Value* value;
  int begin, end;
  long cost;
};

int stride(int width) { return width + 16; }  // rows 1 KiB apart would share few cache sets

}  // namespace

extern "C" {

struct SacShape {
  int32_t vector, action, critics, actor_layers, critic_layers, threads, has_target;
  const int32_t* actor_hidden;
  const int32_t* critic_hidden;
  float log_std_min, log_std_max;
};

struct SacMemory {
  float *actor, *actor_m, *actor_v, *critic, *critic_m, *critic_v, *target;
};

struct SacOptimizer {
  float learning_rate, beta1, beta2, epsilon, weight_decay, clip, correction1, correction2;
};

struct SacStep {
  int32_t batch, update_actor, update_target, entropy_backup, mean_reduction, subset_size;
  const int32_t* subset;
  const float *vector, *action, *reward, *discount, *next_vector, *next_noise, *noise;
  float alpha, tau;
  SacOptimizer actor, critic;
  double metrics[8];  // out: critic loss, q, norm; actor loss, log prob, norm
};

}  // extern "C"

namespace {

class Learner {
 public:
  Learner(const SacShape& shape, const SacMemory& memory)
      : shape_(shape), memory_(memory), team_(shape.threads), workers_(shape.threads) {
    const int a = shape.action;
    size_t at = 0, gradient = 0;
    int inputs = shape.vector;
    for (int i = 0; i < shape.actor_layers; ++i) {
      Layer layer;
      layer.inputs = inputs;
      layer.outputs = shape.actor_hidden[i];
      layer.back = i > 0;
      layer.segments = {{at, at + static_cast<size_t>(inputs) * layer.outputs, layer.outputs}};
      at += static_cast<size_t>(inputs + 1) * layer.outputs;
      add(actor_, std::move(layer), gradient, false);
      inputs = shape.actor_hidden[i];
    }
    Layer heads;
    heads.inputs = inputs;
    heads.outputs = 2 * a;
    heads.back = true;
    const size_t head = static_cast<size_t>(inputs) * a;
    heads.segments = {{at, at + head, a}, {at + head + a, at + 2 * head + a, a}};
    add(actor_, std::move(heads), gradient, false);
    actor_gradient_ = gradient;

    // The critics' arrays are stacked: weight (N, in, out), bias (N, 1, out), layer after layer.
    const int n = shape.critics;
    at = gradient = 0;
    inputs = shape.vector + a;
    critics_.resize(n);
    values_.resize(n);
    for (int i = 0; i < shape.critic_layers; ++i) {
      const int outputs = shape.critic_hidden[i];
      const size_t weights = static_cast<size_t>(inputs) * outputs;
      for (int j = 0; j < n; ++j) {
        Layer layer;
        layer.inputs = inputs;
        layer.outputs = outputs;
        layer.back = true;
        layer.first_back = i == 0 ? shape.vector : 0;
        layer.segments = {{at + j * weights, at + n * weights + static_cast<size_t>(j) * outputs,
                           outputs}};
        add(critics_[j], std::move(layer), gradient, true);
      }
      at += n * (weights + outputs);
      inputs = outputs;
    }
    for (int j = 0; j < n; ++j) {
      values_[j].inputs = inputs;
      values_[j].weight = at + static_cast<size_t>(j) * inputs;
      values_[j].bias = at + static_cast<size_t>(n) * inputs + j;
      values_[j].gradient = gradient;
      gradient += padded(inputs) + kPanel;
    }
    critic_gradient_ = gradient;

    for (Layer& layer : actor_) tasks(layer, actor_tasks_);
    for (int j = 0; j < n; ++j) {
      for (Layer& layer : critics_[j]) tasks(layer, critic_tasks_);
      critic_tasks_.push_back({nullptr, &values_[j], 0, 0, values_[j].inputs});
    }
    for (Worker& w : workers_) {
      w.critic_gradient = Buffer(critic_gradient_);
      w.actor_gradient = Buffer(actor_gradient_);
    }
    refresh();
  }

  // Read all parameters anew.
  void refresh() {
    for (Layer& layer : actor_) place(layer, memory_.actor, false);
    for (std::vector<Layer>& critic : critics_) {
      for (Layer& layer : critic) {
        place(layer, memory_.critic, false);
        if (shape_.has_target) place(layer, memory_.target, true);
      }
    }
  }

  void update(SacStep& step) {
    reserve(step.batch);
    for (Worker& w : workers_) std::fill(w.sums, w.sums + 8, 0.0);
    const std::function<void(int)> work = [&](int rank) { share(rank, step); };
    team_.run(work);
    std::fill(step.metrics, step.metrics + 8, 0.0);
    for (const Worker& w : workers_) {
      for (int i = 0; i < 8; ++i) step.metrics[i] += w.sums[i];
    }
    for (const int i : {0, 1, 3, 4}) step.metrics[i] /= step.batch;
    step.metrics[1] /= shape_.critics;
    step.metrics[2] = std::sqrt(step.metrics[2]);
    step.metrics[5] = std::sqrt(step.metrics[5]);
  }

 private:
  struct Worker {
    Buffer critic_gradient, actor_gradient;
    Buffer input, heads, action, log_prob, target, q, best, gradient_a, gradient_b, gradient_head;
    Buffer gradient_action, input_gradient;
    std::vector<Buffer> actor, critic;  // activations per layer; critics: per critic and layer
    std::vector<int> rows;
    double sums[8];
  };

  void add(std::vector<Layer>& layers, Layer layer, size_t& gradient, bool critic) {
    layer.prepare(critic && shape_.has_target);
    layer.gradient = gradient;
    gradient += static_cast<size_t>(layer.inputs + 1) * layer.width;
    layers.push_back(std::move(layer));
  }

  static void place(Layer& layer, const float* flat, bool target) {
    for (int row = 0; row <= layer.inputs; ++row) layer.place(flat, row, target);
    if (!target) layer.place_back(flat, 0, layer.inputs);
  }

  static void tasks(Layer& layer, std::vector<Task>& all) {
    for (int row = 0; row <= layer.inputs; row += kTaskRows) {
      const int end = std::min(row + kTaskRows, layer.inputs + 1);
      all.push_back({&layer, nullptr, row, end, static_cast<long>(end - row) * layer.outputs});
    }
  }

  void reserve(int batch) {
    if (batch <= capacity_) return;
    capacity_ = batch;
    const int rows = (batch + team_.size() - 1) / team_.size();
    int widest = kPanel;
    for (const Layer& layer : actor_) widest = std::max(widest, layer.width);
    for (const Layer& layer : critics_[0]) widest = std::max(widest, layer.width);
    const int a = shape_.action, inputs = shape_.vector + a + 16;
    for (Worker& w : workers_) {
      w.input = Buffer(static_cast<size_t>(2) * rows * inputs);
      w.heads = Buffer(static_cast<size_t>(2) * rows * padded(2 * a));
      w.gradient_head = Buffer(static_cast<size_t>(rows) * padded(2 * a));
      w.gradient_action = Buffer(static_cast<size_t>(rows) * padded(a));
      w.input_gradient = Buffer(static_cast<size_t>(rows) * padded(a));
      w.action = Buffer(static_cast<size_t>(2) * rows * a);
      w.log_prob = Buffer(2 * rows);
      w.target = Buffer(rows);
      w.best = Buffer(rows);
      w.q = Buffer(static_cast<size_t>(shape_.critics) * rows);
      w.gradient_a = Buffer(static_cast<size_t>(rows) * stride(widest));
      w.gradient_b = Buffer(static_cast<size_t>(rows) * stride(widest));
      w.rows.resize(rows);
      w.actor.clear();
      w.critic.clear();
      for (int i = 0; i < shape_.actor_layers; ++i) {
        w.actor.emplace_back(static_cast<size_t>(2) * rows * stride(actor_[i].width));
      }
      for (int j = 0; j < shape_.critics; ++j) {
        for (const Layer& layer : critics_[j]) {
          w.critic.emplace_back(static_cast<size_t>(rows) * stride(layer.width));
        }
      }
    }
  }

  int first_row(int batch, int rank) const {
    return static_cast<int>(static_cast<long>(batch) * rank / team_.size());
  }

  // The whole update as one thread sees it.
  void share(int rank, SacStep& step) {
    const int begin = first_row(step.batch, rank);
    const int rows = first_row(step.batch, rank + 1) - begin;
    act(rank, step, begin, rows);
    critic_gradient(rank, step, begin, rows);
    team_.barrier();
    optimise(rank, step.critic, critic_tasks_, true, step.update_target ? step.tau : 0.0f);
    if (!step.update_actor) return;
    team_.barrier();
    actor_gradient(rank, step, begin, rows);
    team_.barrier();
    optimise(rank, step.actor, actor_tasks_, false, 0.0f);
  }

  static void forward(const Layer& layer, bool target, const float* x, ptrdiff_t x_row, float* y,
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

  // dx = dy W^T, where the forward activations `mask` were positive (null: everywhere).
  static void backward(const Layer& layer, const float* dy, ptrdiff_t dy_row, float* dx,
                       ptrdiff_t dx_row, int rows, const float* mask, ptrdiff_t mask_row,
                       const int* mask_index) {
    Product g{};
    g.rows = rows;
    g.inner = layer.outputs;
    g.columns = layer.inputs - layer.first_back;
    g.a = dy;
    g.a_row = dy_row;
    g.a_inner = 1;
    g.b = layer.backward.get();
    g.b_panel = static_cast<ptrdiff_t>(layer.outputs) * kPanel;
    g.b_inner = kPanel;
    g.c = dx;
    g.c_row = dx_row;
    g.mask = mask;
    g.mask_row = mask_row;
    g.mask_index = mask_index;
    if (mask) {
      multiply<Finish::kMask>(g);
    } else {
      multiply<Finish::kPlain>(g);
    }
  }

  // Gradient of W and b from x and dy, written, not added.
  static void weight_gradient(const Layer& layer, const float* x, ptrdiff_t x_row, const float* dy,
                              ptrdiff_t dy_row, int rows, float* gradients) {
    Product g{};
    g.rows = layer.inputs;
    g.inner = rows;
    g.columns = layer.width;
    g.a = x;
    g.a_row = 1;
    g.a_inner = x_row;
    g.b = dy;
    g.b_panel = kPanel;
    g.b_inner = dy_row;
    g.c = gradients + layer.gradient;
    g.c_row = layer.width;
    multiply<Finish::kPlain>(g);
    float* bias = g.c + static_cast<size_t>(layer.inputs) * layer.width;
    std::memset(bias, 0, layer.width * sizeof(float));
    for (int r = 0; r < rows; ++r) {
      for (int i = 0; i < layer.width; i += kLanes) {
        store(bias + i, load(bias + i) + load(dy + r * dy_row + i));
      }
    }
  }

  // Actions and their log density at the next states, then, for a policy step, at the states.
  void act(int rank, const SacStep& step, int begin, int rows) {
    Worker& w = workers_[rank];
    const int v = shape_.vector, a = shape_.action;
    const int total = step.update_actor ? 2 * rows : rows;
    const float* next = step.next_vector + static_cast<size_t>(begin) * v;
    std::memcpy(w.input.get(), next, static_cast<size_t>(rows) * v * sizeof(float));
    if (step.update_actor) {
      std::memcpy(w.input.get() + static_cast<size_t>(rows) * v,
                  step.vector + static_cast<size_t>(begin) * v,
                  static_cast<size_t>(rows) * v * sizeof(float));
    }
    const float* x = w.input.get();
    ptrdiff_t x_row = v;
    for (int i = 0; i < shape_.actor_layers; ++i) {
      const ptrdiff_t y_row = stride(actor_[i].width);
      forward(actor_[i], false, x, x_row, w.actor[i].get(), y_row, total, true);
      x = w.actor[i].get();
      x_row = y_row;
    }
    const ptrdiff_t head_row = padded(2 * a);
    forward(actor_.back(), false, x, x_row, w.heads.get(), head_row, total, false);
    for (int r = 0; r < total; ++r) {
      const float* noise = r < rows ? step.next_noise + static_cast<size_t>(begin + r) * a
                                    : step.noise + static_cast<size_t>(begin + r - rows) * a;
      sample(w.heads.get() + r * head_row, noise, w.action.get() + static_cast<size_t>(r) * a,
             w.log_prob.get() + r);
    }
  }

  // One squashed Gaussian, [SAC] eq. 26; a whole vector at a time, its surplus lanes are ignored.
  void sample(const float* head, const float* noise, float* action, float* log_prob) const {
    const int a = shape_.action;
    float total = 0.0f;
    for (int i = 0; i < a; i += kLanes) {
      const int n = std::min(kLanes, a - i);
      Vec mean{}, log_std{}, draw{};
      for (int k = 0; k < n; ++k) {
        mean[k] = head[i + k];
        log_std[k] = std::clamp(head[a + i + k], shape_.log_std_min, shape_.log_std_max);
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

  // (vector, action) of `rows` transitions, side by side.
  void join(Worker& w, const float* vector, const float* action, int rows) const {
    const int v = shape_.vector, a = shape_.action;
    for (int r = 0; r < rows; ++r) {
      float* x = w.input.get() + static_cast<size_t>(r) * (v + a);
      std::memcpy(x, vector + static_cast<size_t>(r) * v, v * sizeof(float));
      std::memcpy(x + v, action + static_cast<size_t>(r) * a, a * sizeof(float));
    }
  }

  // One critic at `rows` inputs; activations stay in the buffers of `slot`.
  void criticise(Worker& w, int j, int slot, bool target, int rows, float* q) {
    const int layers = shape_.critic_layers;
    const float* x = w.input.get();
    ptrdiff_t x_row = shape_.vector + shape_.action;
    for (int i = 0; i < layers; ++i) {
      const Layer& layer = critics_[j][i];
      float* y = w.critic[slot * layers + i].get();
      forward(layer, target, x, x_row, y, stride(layer.width), rows, true);
      x = y;
      x_row = stride(layer.width);
    }
    const Value& value = values_[j];
    const float* flat = target ? memory_.target : memory_.critic;
    const float* weight = flat + value.weight;
    const float bias = flat[value.bias];
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

  // Gradient of the last hidden layer from dq, for the rows that `index` names (null: all).
  void value_backward(const Worker& w, int j, int slot, const float* dq, int rows,
                      const int* index, float* dy) const {
    const int layers = shape_.critic_layers;
    const Layer& last = critics_[j][layers - 1];
    const float* h = w.critic[slot * layers + layers - 1].get();
    const float* weight = memory_.critic + values_[j].weight;
    const ptrdiff_t row = stride(last.width);
    for (int r = 0; r < rows; ++r) {
      const float* active = h + (index ? index[r] : r) * row;
      float* out = dy + r * row;
      const float g = dq[r];
      for (int i = 0; i < last.outputs; ++i) out[i] = active[i] > 0.0f ? g * weight[i] : 0.0f;
      for (int i = last.outputs; i < last.width; ++i) out[i] = 0.0f;
    }
  }

  void critic_gradient(int rank, const SacStep& step, int begin, int rows) {
    Worker& w = workers_[rank];
    const int a = shape_.action, layers = shape_.critic_layers;
    const bool target_networks = shape_.has_target;
    join(w, step.next_vector + static_cast<size_t>(begin) * shape_.vector, w.action.get(), rows);
    const int count = step.subset_size ? step.subset_size : shape_.critics;
    float *y = w.target.get(), *q = w.q.get();
    for (int n = 0; n < count; ++n) {
      criticise(w, step.subset_size ? step.subset[n] : n, 0, target_networks, rows, q);
      for (int r = 0; r < rows; ++r) y[r] = n == 0 || !(y[r] <= q[r]) ? q[r] : y[r];
    }
    const float entropy = step.entropy_backup ? step.alpha : 0.0f;
    for (int r = 0; r < rows; ++r) {
      const float value = y[r] - entropy * w.log_prob.get()[r];
      y[r] = step.reward[begin + r] + step.discount[begin + r] * value;
    }
    join(w, step.vector + static_cast<size_t>(begin) * shape_.vector,
         step.action + static_cast<size_t>(begin) * a, rows);
    float* gradients = w.critic_gradient.get();
    for (int j = 0; j < shape_.critics; ++j) {
      criticise(w, j, 0, false, rows, q);
      const Value& value = values_[j];
      const Layer& last = critics_[j][layers - 1];
      const float* h = w.critic[layers - 1].get();
      float* dvalue = gradients + value.gradient;
      std::memset(dvalue, 0, (padded(value.inputs) + kPanel) * sizeof(float));
      for (int r = 0; r < rows; ++r) {
        const float error = q[r] - y[r];
        w.sums[0] += 0.5 * static_cast<double>(error) * error;
        w.sums[1] += q[r];
        q[r] = error / static_cast<float>(step.batch);
        const float* active = h + r * stride(last.width);
        for (int i = 0; i < last.width; i += kLanes) {
          store(dvalue + i, load(dvalue + i) + q[r] * load(active + i));
        }
        dvalue[padded(value.inputs)] += q[r];
      }
      float *dy = w.gradient_a.get(), *dx = w.gradient_b.get();
      value_backward(w, j, 0, q, rows, nullptr, dy);
      for (int i = layers - 1; i >= 0; --i) {
        const Layer& layer = critics_[j][i];
        const float* x = i ? w.critic[i - 1].get() : w.input.get();
        const ptrdiff_t x_row = i ? stride(critics_[j][i - 1].width) : shape_.vector + a;
        weight_gradient(layer, x, x_row, dy, stride(layer.width), rows, gradients);
        if (i == 0) break;
        backward(layer, dy, stride(layer.width), dx, x_row, rows, x, x_row, nullptr);
        std::swap(dx, dy);
      }
    }
  }

  void actor_gradient(int rank, const SacStep& step, int begin, int rows) {
    Worker& w = workers_[rank];
    const int a = shape_.action, n = shape_.critics;
    const float* action = w.action.get() + static_cast<size_t>(rows) * a;
    const float* log_prob = w.log_prob.get() + rows;
    join(w, step.vector + static_cast<size_t>(begin) * shape_.vector, action, rows);
    float* q = w.q.get();
    for (int j = 0; j < n; ++j) criticise(w, j, j, false, rows, q + static_cast<size_t>(j) * rows);
    float* value = w.best.get();
    for (int r = 0; r < rows; ++r) {
      float least = q[r], total = 0.0f;
      for (int j = 0; j < n; ++j) {
        const float one = q[static_cast<size_t>(j) * rows + r];
        total += one;
        if (!(least <= one)) least = one;
      }
      value[r] = least;
      const float climbed = step.mean_reduction ? total / static_cast<float>(n) : least;
      w.sums[3] += static_cast<double>(step.alpha) * log_prob[r] - climbed;
      w.sums[4] += log_prob[r];
    }

    // dQ/da; with the least critic only that one passes a gradient, so the rows are shared out.
    const ptrdiff_t action_row = padded(a);
    float* dq_da = w.gradient_action.get();
    std::memset(dq_da, 0, static_cast<size_t>(rows) * action_row * sizeof(float));
    std::vector<int>& mine = w.rows;
    std::vector<char>& taken = taken_[rank];
    taken.assign(rows, 0);
    for (int j = 0; j < n; ++j) {
      int count = 0;
      float* dq = w.target.get();
      for (int r = 0; r < rows; ++r) {
        if (step.mean_reduction) {
          dq[count] = 1.0f / static_cast<float>(n);
        } else if (!taken[r] && q[static_cast<size_t>(j) * rows + r] == value[r]) {
          taken[r] = 1;
          dq[count] = 1.0f;
        } else {
          continue;
        }
        mine[count++] = r;
      }
      critic_action_gradient(w, j, dq, count, mine.data(), dq_da);
    }
    policy_gradient(w, step, begin, rows, action, dq_da);
  }

  // Add dQ_j/da at the rows of `index` to dq_da.
  void critic_action_gradient(Worker& w, int j, const float* dq, int count, const int* index,
                              float* dq_da) {
    const int layers = shape_.critic_layers;
    float *dy = w.gradient_a.get(), *dx = w.gradient_b.get();
    value_backward(w, j, j, dq, count, index, dy);
    for (int i = layers - 1; i > 0; --i) {
      const ptrdiff_t x_row = stride(critics_[j][i - 1].width);
      backward(critics_[j][i], dy, stride(critics_[j][i].width), dx, x_row, count,
               w.critic[j * layers + i - 1].get(), x_row, index);
      std::swap(dx, dy);
    }
    const ptrdiff_t action_row = padded(shape_.action);
    float* out = w.input_gradient.get();
    backward(critics_[j][0], dy, stride(critics_[j][0].width), out, action_row, count, nullptr, 0,
             nullptr);
    for (int r = 0; r < count; ++r) {
      float* to = dq_da + index[r] * action_row;
      for (int i = 0; i < shape_.action; ++i) to[i] += out[r * action_row + i];
    }
  }

  // Gradient of J_pi, [SAC] eq. 9, with respect to the actor.
  void policy_gradient(Worker& w, const SacStep& step, int begin, int rows, const float* action,
                       const float* dq_da) {
    const int a = shape_.action, layers = shape_.actor_layers;
    const ptrdiff_t head_row = padded(2 * a), action_row = padded(a);
    const float scale = 1.0f / static_cast<float>(step.batch);
    float* dhead = w.gradient_head.get();
    for (int r = 0; r < rows; ++r) {
      const float* head = w.heads.get() + (rows + r) * head_row;
      const float* noise = step.noise + static_cast<size_t>(begin + r) * a;
      float* out = dhead + r * head_row;
      for (int i = 0; i < a; ++i) {
        const float t = action[static_cast<size_t>(r) * a + i];
        // d log pi / du = 2 tanh(u); da / du = 1 - tanh(u)^2
        const float du = scale * (step.alpha * 2.0f * t -
                                  dq_da[r * action_row + i] * (1.0f - t * t));
        const float raw = head[a + i];
        const bool free = raw >= shape_.log_std_min && raw <= shape_.log_std_max;
        out[i] = du;
        out[a + i] = free ? du * noise[i] * std::exp(raw) - scale * step.alpha : 0.0f;
      }
    }
    float* gradients = w.actor_gradient.get();
    const float* dy = dhead;
    ptrdiff_t dy_row = head_row;
    float *dx = w.gradient_a.get(), *other = w.gradient_b.get();
    for (int i = layers; i >= 0; --i) {
      const Layer& layer = actor_[i];
      const ptrdiff_t x_row = i ? stride(actor_[i - 1].width) : shape_.vector;
      const float* x = i ? w.actor[i - 1].get() + rows * x_row
                         : step.vector + static_cast<size_t>(begin) * shape_.vector;
      weight_gradient(layer, x, x_row, dy, dy_row, rows, gradients);
      if (i == 0) break;
      backward(layer, dy, dy_row, dx, x_row, rows, x, x_row, nullptr);
      dy = dx;
      dy_row = x_row;
      std::swap(dx, other);
    }
  }

  const float* gradients(int rank, bool critic) const {
    return critic ? workers_[rank].critic_gradient.get() : workers_[rank].actor_gradient.get();
  }

  // Sum of all threads' gradients at an offset.
  void total(size_t offset, int n, bool critic, float* out) const {
    std::memcpy(out, gradients(0, critic) + offset, n * sizeof(float));
    for (int t = 1; t < team_.size(); ++t) {
      const float* g = gradients(t, critic) + offset;
      for (int i = 0; i < n; ++i) out[i] += g[i];
    }
  }

  // Adam over this thread's share of the rows, in every form in which they are kept.
  void optimise(int rank, const SacOptimizer& o, std::vector<Task>& all, bool critic, float tau) {
    long cost = 0;
    for (const Task& task : all) cost += task.cost;
    const long from = cost * rank / team_.size(), to = cost * (rank + 1) / team_.size();
    float scale = 1.0f;
    Worker& w = workers_[rank];
    const int at = critic ? 2 : 5;
    if (o.clip > 0.0f) {
      double squares = 0.0;
      each(all, from, to, [&](const Task& task) { squares += task_squares(task, critic); });
      w.sums[6 + !critic] = squares;
      team_.barrier();
      double norm = 0.0;
      for (const Worker& other : workers_) norm += other.sums[6 + !critic];
      scale = std::min(1.0f, o.clip / (static_cast<float>(std::sqrt(norm)) + kClipEpsilon));
      w.sums[at] = squares;
      each(all, from, to, [&](Task& task) { task_step(task, o, critic, tau, scale); });
      return;
    }
    double squares = 0.0;
    each(all, from, to, [&](Task& task) { squares += task_step(task, o, critic, tau, scale); });
    w.sums[at] = squares;
  }

  template <class F>
  static void each(std::vector<Task>& all, long from, long to, F work) {
    long at = 0;
    for (Task& task : all) {
      if (at >= from && at < to) work(task);
      at += task.cost;
    }
  }

  // Call f(offset into the flat parameters, offset into the gradients, elements) for a task's spans.
  template <class F>
  static void spans(const Task& task, F f) {
    if (!task.layer) {
      f(task.value->weight, task.value->gradient, task.value->inputs);
      f(task.value->bias, task.value->gradient + padded(task.value->inputs), 1);
      return;
    }
    for (int row = task.begin; row < task.end; ++row) {
      int column = 0;
      for (const Segment& s : task.layer->segments) {
        const size_t flat = row == task.layer->inputs
                                ? s.bias
                                : s.weight + static_cast<size_t>(row) * s.columns;
        f(flat, task.layer->gradient + static_cast<size_t>(row) * task.layer->width + column,
          s.columns);
        column += s.columns;
      }
    }
  }

  double task_squares(const Task& task, bool critic) const {
    double squares = 0.0;
    spans(task, [&](size_t, size_t offset, int n) {
      float g[kSpan];
      for (int i = 0; i < n; i += kSpan) {
        const int m = std::min(kSpan, n - i);
        total(offset + i, m, critic, g);
        for (int k = 0; k < m; ++k) squares += static_cast<double>(g[k]) * g[k];
      }
    });
    return squares;
  }

  // Returns the sum of squares of the gradient.
  double task_step(Task& task, const SacOptimizer& o, bool critic, float tau, float scale) {
    float* flat = critic ? memory_.critic : memory_.actor;
    float* first = critic ? memory_.critic_m : memory_.actor_m;
    float* second = critic ? memory_.critic_v : memory_.actor_v;
    float* target = critic && tau > 0.0f && shape_.has_target ? memory_.target : nullptr;
    const float rate = o.learning_rate / o.correction1;
    const float root = 1.0f / std::sqrt(o.correction2);
    const float decay = 1.0f - o.learning_rate * o.weight_decay;
    // Copies, as a store through a float pointer might change what a reference refers to.
    const float beta1 = o.beta1, rest1 = 1.0f - o.beta1, epsilon = o.epsilon;
    const float beta2 = o.beta2, rest2 = 1.0f - o.beta2;
    double squares = 0.0;
    spans(task, [&](size_t at, size_t offset, int n) {
      alignas(64) float g[kSpan];
      for (int begin = 0; begin < n; begin += kSpan, at += kSpan) {
        const int count = std::min(kSpan, n - begin);
        total(offset + begin, count, critic, g);
        float* __restrict p = flat + at;
        float* __restrict m = first + at;
        float* __restrict v = second + at;
        Vec sums{};
        int i = 0;
        for (; i + kLanes <= count; i += kLanes) sums += load(g + i) * load(g + i);
        for (; i < count; ++i) squares += static_cast<double>(g[i]) * g[i];
        squares += sum(sums);
        const float *__restrict d = g;
#pragma GCC ivdep
        for (i = 0; i < count; ++i) {
          const float change = scale * d[i];
          const float mean = beta1 * m[i] + rest1 * change;
          const float power = beta2 * v[i] + rest2 * change * change;
          m[i] = mean;
          v[i] = power;
          p[i] = decay * p[i] - rate * mean / (std::sqrt(power) * root + epsilon);
        }
        if (target) {
          float* __restrict t = target + at;
          for (i = 0; i < count; ++i) t[i] += tau * (p[i] - t[i]);
        }
      }
    });
    if (task.layer) {
      for (int row = task.begin; row < task.end; ++row) {
        task.layer->place(flat, row, false);
        if (target) task.layer->place(target, row, true);
      }
      task.layer->place_back(flat, task.begin, task.end);
    }
    return squares;
  }

  const SacShape shape_;
  const SacMemory memory_;
  Team team_;
  std::vector<Worker> workers_;
  std::vector<std::vector<char>> taken_{static_cast<size_t>(team_.size())};
  std::vector<Layer> actor_;                 // hidden layers, then the heads
  std::vector<std::vector<Layer>> critics_;  // per critic, hidden layers
  std::vector<Value> values_;
  std::vector<Task> actor_tasks_, critic_tasks_;
  size_t actor_gradient_ = 0, critic_gradient_ = 0;
  int capacity_ = 0;
};

}  // namespace

extern "C" {

// What the processor must have; read before anything else, so it uses no vector instruction.
const char* sac_instructions() {
  return ""
#if defined(__AVX512F__)
         "avx512f avx512vl avx512dq avx512bw "
#endif
#if defined(__AVX2__)
         "avx2 fma "
#elif defined(__AVX__)
         "avx "
#endif
      ;
}

void* sac_create(const SacShape* shape, const SacMemory* memory) {
  try {
    return new Learner(*shape, *memory);
  } catch (const std::exception&) {
    return nullptr;
  }
}

void sac_destroy(void* learner) { delete static_cast<Learner*>(learner); }

void sac_refresh(void* learner) { static_cast<Learner*>(learner)->refresh(); }

void sac_update(void* learner, SacStep* step) { static_cast<Learner*>(learner)->update(*step); }

}  // extern "C"

}  // namespace sac
