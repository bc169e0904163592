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
  // A thread's own memory.
  struct Scratch {
    std::vector<Buffer> images;      // of s, interleaved, kLanes at a time
    std::vector<Encoder::Trace> critic_traces, policy_traces;
    Encoder::Trace glance;           // of passes that need no way back
    Encoder::Scratch critic, policy;
    Buffer features, next_features;  // as the critics see s and the targets s', a row each
    Buffer next_images;
    std::vector<uint8_t> shifted;
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

  Scratch scratch(int rows) const {
    Scratch s;
    if (!present_) return s;
    const size_t bytes = static_cast<size_t>(kLanes) * shape_.bytes();
    for (int first = 0; first < rows; first += kLanes) {
      s.images.emplace_back(bytes / sizeof(float) + 1);
      s.critic_traces.push_back(critic_.trace());
      if (!shared_) s.policy_traces.push_back(policy_.trace());
    }
    s.glance = critic_.trace();
    s.critic = critic_.scratch();
    if (!shared_) s.policy = policy_.scratch();
    s.features = Buffer(static_cast<size_t>(rows) * features());
    s.next_features = Buffer(static_cast<size_t>(rows) * features());
    s.next_images = Buffer(bytes / sizeof(float) + 1);
    s.shifted.resize(bytes);
    return s;
  }

  // Look at the images of rows [begin, begin + rows) before the critics' step.
  void look(Scratch& s, const SacStep& step, int begin, int rows, const PolicyRows& out) const {
    const Encoder& eyes = shared_ ? critic_ : policy_;
    const int64_t* shifts = step.shifts ? step.shifts + 2 * begin : nullptr;
    const int64_t* next_shifts = shifts ? shifts + 2 * step.batch : nullptr;
    each_group(rows, [&](int group, int first, int count) {
      const size_t from = static_cast<size_t>(begin + first) * shape_.bytes();
      uint8_t* bytes = image(s.next_images);
      take(s, step.next_image + from, next_shifts ? next_shifts + 2 * first : nullptr, count,
           bytes);
      const float* x = show(s, bytes);
      eyes.forward(false, x, s.glance, out.next + first * out.row, out.row, count);
      critic_.forward(has_target_, x, s.glance, features(s.next_features, first), features(),
                      count);
      bytes = image(s.images[group]);
      take(s, step.image + from, shifts ? shifts + 2 * first : nullptr, count, bytes);
      x = show(s, bytes);
      critic_.forward(false, x, s.critic_traces[group], features(s.features, first), features(),
                      count);
      if (shared_ || !step.update_actor) return;
      policy_.forward(false, x, s.policy_traces[group], out.now + first * out.row, out.row, count);
    });
  }

  // Look at s again through the critics' encoder after its step.
  void look_again(Scratch& s, int rows, const PolicyRows& out) const {
    each_group(rows, [&](int group, int first, int count) {
      const float* x = show(s, image(s.images[group]));
      float* seen = features(s.features, first);
      critic_.forward(false, x, s.glance, seen, features(), count);
      if (!shared_) return;
      for (int r = 0; r < count; ++r) {
        std::memcpy(out.now + (first + r) * out.row, seen + r * features(),
                    features() * sizeof(float));
      }
    });
  }

  // Gradients of the critics' encoder, given those of its features.
  void critic_gradient(Scratch& s, int rows, const float* dfeatures, ptrdiff_t row,
                       float* gradients) const {
    gradient(critic_, s, s.critic, s.critic_traces, rows, dfeatures, row, gradients);
  }

  // Gradients of the policy's own encoder, given those of its features.
  void policy_gradient(Scratch& s, int rows, const float* dfeatures, ptrdiff_t row,
                       float* gradients) const {
    gradient(policy_, s, s.policy, s.policy_traces, rows, dfeatures, row, gradients);
  }

 private:
  template <class F>
  static void each_group(int rows, F f) {
    for (int first = 0, group = 0; first < rows; first += kLanes, ++group) {
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
                const std::vector<Encoder::Trace>& traces, int rows, const float* dfeatures,
                ptrdiff_t row, float* gradients) const {
    encoder.clear(own);
    each_group(rows, [&](int group, int first, int count) {
      const float* x = show(s, image(s.images[group]));
      encoder.backward(x, traces[group], dfeatures + first * row, row, count, own);
    });
    encoder.reduce(own, gradients);
  }

  ImageShape shape_;
  bool present_, shared_, has_target_;
  Encoder critic_, policy_;
};

}  // namespace sac
