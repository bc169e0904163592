// All networks of an update, and the way of some rows of the batch through them. The mathematics is
// that of reference.py, equations there.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "critics.hpp"
#include "interface.hpp"
#include "policy.hpp"
#include "sight.hpp"

namespace sac {

class Networks {
 public:
  // A thread's own memory, for some rows.
  struct Scratch {
    Critics::Scratch critics;
    Sight::Scratch sight;
    Buffer target, climbed, dfeatures;
  };

  Networks(const SacShape& shape, const SacMemory& memory)
      : vector_(shape.vector),
        action_(shape.action),
        sight_(shape, policy_at_, policy_size_, critic_at_, critic_size_),
        policy_(shape, memory.actor, sight_.features(), policy_at_, policy_size_),
        critics_(shape, memory.critic, shape.has_target ? memory.target : nullptr,
                 sight_.features(), critic_at_, critic_size_) {}

  bool see() const { return sight_.present(); }
  size_t policy_size() const { return policy_size_; }  // of a chunk's gradients
  size_t critic_size() const { return critic_size_; }

  // Read all parameters anew.
  void refresh(const SacMemory& memory) {
    sight_.refresh(memory);
    policy_.refresh();
    critics_.refresh();
  }

  void add_tasks(std::vector<Task>& policy, std::vector<Task>& critic) {
    sight_.add_tasks(policy, critic);
    policy_.add_tasks(policy);
    critics_.add_tasks(critic);
  }

  // Take memory for a batch.
  void reserve(int rows) {
    policy_.reserve(rows);
    critics_.reserve(rows);
    sight_.reserve(rows);
  }

  Scratch scratch(int rows) const {
    Scratch s;
    s.critics = critics_.scratch(rows);
    s.sight = sight_.scratch(rows);
    s.target = Buffer(rows);
    s.climbed = Buffer(rows);
    s.dfeatures = Buffer(static_cast<size_t>(rows) * padded(sight_.features()));
    return s;
  }

  // Everything of some rows up to the gradient of the critics' layers; adds to the chunks' sums.
  void critic_rows(Scratch& s, const SacStep& step, const Block& mine, float alpha, Sums* sums,
                   const Partials& partials) const {
    observe(s, step, mine);
    const int v = vector_, a = action_, begin = mine.begin(), n = mine.rows();
    const size_t skipped = static_cast<size_t>(begin);
    const Policy::Trace& policy = policy_.kept();
    join(s.critics.pass.input.get(), s.sight.next_features.get(), step.next_vector + skipped * v,
         policy.action.get() + skipped * a, n);
    float* y = s.target.get();
    critics_.least(s.critics, step, begin, n, y);
    const float entropy = step.entropy_backup ? alpha : 0.0f;
    for (int r = 0; r < n; ++r) {
      const float value = y[r] - entropy * policy.log_prob.get()[skipped + r];
      y[r] = step.reward[skipped + r] + step.discount[skipped + r] * value;
    }
    join(critics_.kept().input.get() + skipped * critics_.inputs(), sight_.seen(begin),
         step.vector + skipped * v, step.action + skipped * a, n);
    critics_.gradient(s.critics, step, y, mine, sums, partials);
    if (!sight_.present()) return;
    const int width = padded(sight_.features());
    const float* dfeatures = s.critics.dfeatures.get();
    mine.each([&](int chunk, int first, int count) {
      sight_.critic_gradient(s.sight, begin + first, count, dfeatures + first * width, width,
                             partials.of(chunk));
    });
  }

  // Everything of some rows up to the gradient of the policy's layers; adds to the chunks' sums.
  void policy_rows(Scratch& s, const SacStep& step, const Block& mine, float alpha, Sums* sums,
                   const Partials& partials) const {
    const int begin = mine.begin(), n = mine.rows(), states = policy_.states() + begin;
    if (sight_.present()) sight_.look_again(s.sight, begin, n, policy_inputs(mine));
    if (sight_.shared()) {
      policy_.forward(states, n);
      policy_.sample(states, n, noise(step.noise, mine));
    }
    const Policy::Trace& policy = policy_.kept();
    join(s.critics.pass.input.get(), sight_.seen(begin),
         step.vector + static_cast<size_t>(begin) * vector_,
         policy.action.get() + static_cast<size_t>(states) * action_, n);
    const float* log_prob = policy.log_prob.get() + states;
    float* climbed = s.climbed.get();
    critics_.action_gradient(s.critics, step, begin, n, climbed);
    mine.each([&](int chunk, int first, int count) {
      for (int r = first; r < first + count; ++r) {
        sums[chunk].policy_loss += static_cast<double>(alpha) * log_prob[r] - climbed[r];
        sums[chunk].log_prob += log_prob[r];
      }
    });
    policy_.gradient(mine, noise(step.noise, mine), s.critics.daction.get(), alpha,
                     1.0f / static_cast<float>(step.batch), s.dfeatures.get(), partials);
    if (!sight_.present() || sight_.shared()) return;
    const int width = padded(sight_.features());
    mine.each([&](int chunk, int first, int count) {
      sight_.policy_gradient(s.sight, begin + first, count, s.dfeatures.get() + first * width,
                             width, partials.of(chunk));
    });
  }

 private:
  // Image features of all networks, and the policy at s' and s; where it shares the critics'
  // encoder, which is to take a step yet, at s' only.
  void observe(Scratch& s, const SacStep& step, const Block& mine) const {
    const int v = vector_, begin = mine.begin(), n = mine.rows();
    const int states = policy_.states() + begin;
    const size_t skipped = static_cast<size_t>(begin) * v;
    const Sight::PolicyRows out = policy_inputs(mine);
    fill(out.next + sight_.features(), step.next_vector + skipped, n);
    fill(out.now + sight_.features(), step.vector + skipped, n);
    if (sight_.present()) sight_.look(s.sight, step, begin, n, out);
    policy_.forward(begin, n);
    policy_.sample(begin, n, noise(step.next_noise, mine));
    if (!step.update_actor || sight_.shared()) return;
    policy_.forward(states, n);
    policy_.sample(states, n, noise(step.noise, mine));
  }

  Sight::PolicyRows policy_inputs(const Block& mine) const {
    const ptrdiff_t row = policy_.inputs(), begin = mine.begin();
    float* input = policy_.kept().input.get();
    return {input + begin * row, input + (policy_.states() + begin) * row, row};
  }

  const float* noise(const float* all, const Block& mine) const {
    return all + static_cast<size_t>(mine.begin()) * action_;
  }

  // Copy vectors into rows of the policy's input.
  void fill(float* to, const float* vector, int rows) const {
    for (int r = 0; r < rows; ++r, to += policy_.inputs(), vector += vector_) {
      std::memcpy(to, vector, vector_ * sizeof(float));
    }
  }

  // (features, vector, action) of the transitions, side by side, as the critics' input.
  void join(float* to, const float* features, const float* vector, const float* action,
            int rows) const {
    const int f = sight_.features(), v = vector_, a = action_;
    for (int r = 0; r < rows; ++r, to += f + v + a, vector += v, action += a) {
      if (f) std::memcpy(to, features + static_cast<size_t>(r) * f, f * sizeof(float));
      std::memcpy(to + f, vector, v * sizeof(float));
      std::memcpy(to + f + v, action, a * sizeof(float));
    }
  }

  int vector_, action_;
  size_t policy_at_ = 0, policy_size_ = 0, critic_at_ = 0, critic_size_ = 0;
  Sight sight_;
  Policy policy_;
  Critics critics_;
};

}  // namespace sac
