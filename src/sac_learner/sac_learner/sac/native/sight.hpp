// What critics, targets and policy see in the images of a share of the batch.
#pragma once

#include <cstring>
#include <vector>

#include "encoder.hpp"
#include "interface.hpp"
#include "pictures.hpp"

namespace sac {

class Sight {
 public:
  // A thread's own memory, for a chunk of the batch.
  struct Scratch {
    Encoder::Trace glance;  // of passes that need no way back
    Encoder::Scratch critic, policy;
    Buffer next_features;   // as the targets see s'
    Buffer next_images;
    std::vector<uint8_t> shifted;
  };

  // What passes over the batch leave.
  struct Trace {
    std::vector<Buffer> images;  // of s, interleaved, kLanes at a time
    std::vector<Encoder::Trace> critic, policy;
    Buffer features;             // as the critics see s, a row each
  };

  // Where the policy wants its features: rows of s', then rows of s.
  struct PolicyRows {
    float* next;
    float* now;
    ptrdiff_t row;
  };

  Sight(const SacShape& shape, size_t& policy_at, size_t& policy_gradient, size_t& critic_at,
        size_t& critic_gradient)
      : shape_{shape.height, shape.width, shape.image_channels},
        present_(shape.convolutions > 0),
        shared_(shape.shared_encoder),
        has_target_(shape.has_target),
        critic_(shape, shape.has_target, critic_at, critic_gradient) {
    if (!shared_) policy_ = Encoder(shape, false, policy_at, policy_gradient);
  }

  int features() const { return critic_.features(); }
  bool present() const { return present_; }
  bool shared() const { return shared_; }  // whether the policy looks through the critics' encoder

  void refresh(const SacMemory& memory) {
    critic_.refresh(memory.critic, false);
    policy_.refresh(memory.actor, false);
    if (has_target_) critic_.refresh(memory.target, true);
  }

  void add_tasks(std::vector<Task>& policy, std::vector<Task>& critic) {
    policy_.add_tasks(policy);
    critic_.add_tasks(critic);
  }

  // Take memory for a batch.
  void reserve(int rows) {
    if (!present_) return;
    Trace t;
    for (int first = 0; first < rows; first += kLanes) {
      t.images.emplace_back(image_size());
      t.critic.push_back(critic_.trace());
      if (!shared_) t.policy.push_back(policy_.trace());
    }
    t.features = Buffer(static_cast<size_t>(rows) * features());
    trace_ = std::move(t);
  }

  Scratch scratch(int rows) const {
    Scratch s;
    if (!present_) return s;
    s.glance = critic_.trace();
    s.critic = critic_.scratch();
    if (!shared_) s.policy = policy_.scratch();
    s.next_features = Buffer(static_cast<size_t>(rows) * features());
    s.next_images = Buffer(image_size());
    s.shifted.resize(static_cast<size_t>(kLanes) * shape_.bytes());
    return s;
  }

  // As the critics see s, from row `begin` on.
  const float* seen(int begin) const { return present_ ? features(trace_.features, begin) : nullptr; }

  // Look at the images of rows [begin, begin + rows) before the critics' step; a chunk begins with a
  // whole group of kLanes.
  void look(Scratch& s, const SacStep& step, int begin, int rows, const PolicyRows& out) const {
    const Encoder& eyes = shared_ ? critic_ : policy_;
    const int64_t* shifts = step.shifts ? step.shifts + 2 * begin : nullptr;
    const int64_t* next_shifts = shifts ? shifts + 2 * step.batch : nullptr;
    each_group(begin, rows, [&](int group, int first, int count) {
      const size_t from = static_cast<size_t>(begin + first) * shape_.bytes();
      uint8_t* bytes = image(s.next_images);
      take(s, step.next_image + from, next_shifts ? next_shifts + 2 * first : nullptr, count,
           bytes);
      const float* x = show(s, bytes);
      eyes.forward(false, x, s.glance, out.next + first * out.row, out.row, count);
      critic_.forward(has_target_, x, s.glance, features(s.next_features, first), features(),
                      count);
      bytes = image(trace_.images[group]);
      take(s, step.image + from, shifts ? shifts + 2 * first : nullptr, count, bytes);
      x = show(s, bytes);
      critic_.forward(false, x, trace_.critic[group], features(trace_.features, begin + first),
                      features(), count);
      if (shared_ || !step.update_actor) return;
      policy_.forward(false, x, trace_.policy[group], out.now + first * out.row, out.row, count);
    });
  }

  // Look at s again through the critics' encoder after its step.
  void look_again(Scratch& s, int begin, int rows, const PolicyRows& out) const {
    each_group(begin, rows, [&](int group, int first, int count) {
      const float* x = show(s, image(trace_.images[group]));
      float* seen = features(trace_.features, begin + first);
      critic_.forward(false, x, s.glance, seen, features(), count);
      if (!shared_) return;
      for (int r = 0; r < count; ++r) {
        std::memcpy(out.now + (first + r) * out.row, seen + r * features(),
                    features() * sizeof(float));
      }
    });
  }

  // Gradients of the critics' encoder, given those of a chunk's features.
  void critic_gradient(Scratch& s, int begin, int rows, const float* dfeatures, ptrdiff_t row,
                       float* gradients) const {
    gradient(critic_, s, s.critic, trace_.critic, begin, rows, dfeatures, row, gradients);
  }

  // Gradients of the policy's own encoder, given those of a chunk's features.
  void policy_gradient(Scratch& s, int begin, int rows, const float* dfeatures, ptrdiff_t row,
                       float* gradients) const {
    gradient(policy_, s, s.policy, trace_.policy, begin, rows, dfeatures, row, gradients);
  }

 private:
  size_t image_size() const {  // of kLanes interleaved images, as floats
    return static_cast<size_t>(kLanes) * shape_.bytes() / sizeof(float) + 1;
  }

  template <class F>
  static void each_group(int begin, int rows, F f) {
    for (int first = 0, group = begin / kLanes; first < rows; first += kLanes, ++group) {
      f(group, first, std::min(kLanes, rows - first));
    }
  }

  static uint8_t* image(const Buffer& b) { return reinterpret_cast<uint8_t*>(b.get()); }
  float* features(const Buffer& b, int row) const {
    return b.get() + static_cast<size_t>(row) * features();
  }

  // Interleave `count` images, shifted where shifts were drawn.
  void take(Scratch& s, const uint8_t* images, const int64_t* shifts, int count,
            uint8_t* out) const {
    const uint8_t* sources[kLanes];
    for (int i = 0; i < count; ++i) {
      sources[i] = images + static_cast<size_t>(i) * shape_.bytes();
      if (!shifts) continue;
      uint8_t* moved = s.shifted.data() + static_cast<size_t>(i) * shape_.bytes();
      shift_image(shape_, sources[i], shifts + 2 * i, moved);
      sources[i] = moved;
    }
    interleave(sources, count, shape_.bytes(), out);
  }

  const float* show(Scratch& s, const uint8_t* bytes) const {
    spread(critic_.input(), bytes, s.critic.input.get());
    return s.critic.input.get();
  }

  void gradient(const Encoder& encoder, Scratch& s, const Encoder::Scratch& own,
                const std::vector<Encoder::Trace>& traces, int begin, int rows,
                const float* dfeatures, ptrdiff_t row, float* gradients) const {
    encoder.clear(own);
    each_group(begin, rows, [&](int group, int first, int count) {
      const float* x = show(s, image(trace_.images[group]));
      encoder.backward(x, traces[group], dfeatures + first * row, row, count, own);
    });
    encoder.reduce(own, gradients);
  }

  ImageShape shape_;
  bool present_, shared_, has_target_;
  Encoder critic_, policy_;
  Trace trace_;  // of the batch
};

}  // namespace sac
