// One update of Soft Actor-Critic, shared out among a team of threads.
//
// A chunk of the batch goes through all layers of all networks as one task with its own serial
// products; then some rows of a weight matrix are one task, with the product that is their gradient
// and their step of Adam. So an update has four phases. A thread takes several tasks at a time and
// makes their products as one, since what it has fetched should serve many rows; sums over rows are
// kept by chunk, so that the result does not depend on who took what. The mathematics is that of
// reference.py, equations there.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#include "critics.hpp"
#include "policy.hpp"
#include "sight.hpp"
#include "team.hpp"

namespace sac {

constexpr float kClipEpsilon = 1e-6f;
constexpr int kRows = 24, kImages = 16;  // of a chunk, at most; without and with images
constexpr int kBlock = 4;  // chunks that a thread takes at a time
constexpr int kTasks = 4;  // parts of the weights likewise

class Learner {
 public:
  Learner(const SacShape& shape, const SacMemory& memory)
      : shape_(shape),
        memory_(memory),
        workers_(shape.threads),
        sight_(shape, policy_at_, policy_size_, critic_at_, critic_size_),
        policy_(shape, memory.actor, sight_.features(), policy_at_, policy_size_),
        critics_(shape, memory.critic, shape.has_target ? memory.target : nullptr,
                 sight_.features(), critic_at_, critic_size_),
        policy_optimizer_(memory.actor, memory.actor_m, memory.actor_v, nullptr),
        critic_optimizer_(memory.critic, memory.critic_m, memory.critic_v,
                          shape.has_target ? memory.target : nullptr),
        team_(shape.threads,
              {kPhases, [this](unsigned job, int phase) { return begin(job, phase); },
               [this](unsigned job, int phase, int first, int count, int rank) {
                 run(job, phase, first, first + count, rank);
               },
               [this](unsigned job, int phase) { end(job, phase); }}) {
    sight_.add_tasks(policy_optimizer_.tasks, critic_optimizer_.tasks);
    policy_.add_tasks(policy_optimizer_.tasks);
    critics_.add_tasks(critic_optimizer_.tasks);
    policy_optimizer_.prepare();
    critic_optimizer_.prepare();
    const int largest = std::max(policy_optimizer_.largest(), critic_optimizer_.largest());
    for (Worker& w : workers_) w.gradient = Buffer(static_cast<size_t>(padded(largest)) * kTasks);
    refresh();
  }

  // Read all parameters anew.
  void refresh() {
    sight_.refresh(memory_);
    policy_.refresh();
    critics_.refresh();
  }

  // Hand steps over, and work on those before until only one is left, past its first phase.
  void submit(const SacStep* steps, int count) {
    for (int i = 0; i < count; ++i) prepare(steps[i]);
    team_.submit(count, [&](unsigned job, int i) { steps_[job % kAhead] = steps[i]; });
  }

  void wait() { team_.wait(); }

 private:
  static constexpr unsigned kAhead = SAC_GROUP + 1;

  // A gradient that is clipped is kept until its norm is known.
  enum Phase {
    kCriticRows,
    kCriticWeights,
    kCriticClipped,
    kPolicyRows,
    kPolicyWeights,
    kPolicyClipped,
    kPhases
  };

  // A thread's own memory.
  struct Worker {
    Critics::Scratch critics;
    Sight::Scratch sight;
    Buffer target, climbed, dfeatures, gradient, transposed;
  };

  // The batch in chunks of about 20 rows, which one, two, three, four and six threads share evenly;
  // with images in whole groups of kLanes. Independent of the threads, as sums over chunks round.
  Division division(int batch) const {
    if (sight_.present()) return {batch, (batch + kImages - 1) / kImages, kImages};
    const int even = (batch + 12 * kRows - 1) / (12 * kRows) * 12;
    return {batch, std::max(1, std::min(even, batch / 8))};
  }

  // Take memory that a step needs.
  void prepare(const SacStep& step) {
    if (step.batch <= capacity_) return;
    wait();
    capacity_ = step.batch;
    policy_.reserve(capacity_);
    critics_.reserve(capacity_);
    sight_.reserve(capacity_);
    const int chunks = division(capacity_).chunks;  // smaller batches have no more
    sums_.resize(chunks);
    critic_optimizer_.partials.reserve(chunks, critic_size_);
    policy_optimizer_.partials.reserve(chunks, policy_size_);
    const int most = std::min(capacity_, 2 * kRows * kBlock);
    const int deepest = std::max(policy_optimizer_.deepest(), critic_optimizer_.deepest());
    const size_t tiles = Tiles(deepest * kTasks).count * kTileRows;
    for (Worker& w : workers_) {
      w.transposed = Buffer(tiles * capacity_);
      w.critics = critics_.scratch(most);
      w.sight = sight_.scratch(most);
      w.target = Buffer(most);
      w.climbed = Buffer(most);
      w.dfeatures = Buffer(static_cast<size_t>(most) * padded(sight_.features()));
    }
  }

  // The tasks of a phase.
  Team::Tasks begin(unsigned job, int phase) {
    const SacStep& step = steps_[job % kAhead];
    const int critic_tasks = static_cast<int>(critic_optimizer_.tasks.size());
    const int policy_tasks = static_cast<int>(policy_optimizer_.tasks.size());
    switch (phase) {
      case kCriticRows:
        alpha_ = std::exp(*memory_.log_alpha);
        division_ = division(step.batch);
        return {division_.chunks, kBlock};
      case kCriticWeights:
        return {critic_tasks, kTasks};
      case kCriticClipped:
        return {step.critic.clip > 0.0f ? critic_tasks : 0, kTasks};
      case kPolicyRows:
        return {step.update_actor ? division_.chunks : 0, kBlock};
      case kPolicyWeights:
        return {step.update_actor ? policy_tasks : 0, kTasks};
      default:
        return {step.update_actor && step.actor.clip > 0.0f ? policy_tasks : 0, kTasks};
    }
  }

  void run(unsigned job, int phase, int first, int last, int rank) {
    const SacStep& step = steps_[job % kAhead];
    Worker& w = workers_[rank];
    const float tau = step.update_target ? step.tau : 0.0f;
    switch (phase) {
      case kCriticRows:
        return critic_rows(w, step, {division_, first, last});
      case kCriticWeights:
        return weights(w, critic_optimizer_, first, last, step.critic, tau);
      case kCriticClipped:
        return critic_optimizer_.step_kept(first, last, step.critic, scale_, tau);
      case kPolicyRows:
        return policy_rows(w, step, {division_, first, last});
      case kPolicyWeights:
        return weights(w, policy_optimizer_, first, last, step.actor, 0.0f);
      default:
        return policy_optimizer_.step_kept(first, last, step.actor, scale_, 0.0f);
    }
  }

  // What a thread alone does after a phase.
  void end(unsigned job, int phase) {
    const SacStep& step = steps_[job % kAhead];
    if (phase == kCriticWeights) {
      report_critics(step);
      scale_ = clipping(critic_optimizer_, step.critic);
    } else if (phase == kPolicyWeights) {
      finish_policy(step);
      scale_ = clipping(policy_optimizer_, step.actor);
    }
  }

  void weights(Worker& w, Optimizer& optimizer, int first, int last, const SacOptimizer& settings,
               float tau) {
    if (settings.clip > 0.0f) {
      optimizer.keep(first, last, division_, w.transposed.get());
    } else {
      optimizer.step(first, last, division_, settings, tau, w.gradient.get(),
                     w.transposed.get());
    }
  }

  static float clipping(const Optimizer& optimizer, const SacOptimizer& settings) {
    if (settings.clip <= 0.0f) return 1.0f;
    const float norm = static_cast<float>(std::sqrt(optimizer.squares()));
    return std::min(1.0f, settings.clip / (norm + kClipEpsilon));
  }

  double total(double Sums::*which) const {
    double total = 0.0;
    for (int i = 0; i < division_.chunks; ++i) total += sums_[i].*which;
    return total;
  }

  void report_critics(const SacStep& step) const {
    step.metrics[0] = static_cast<float>(total(&Sums::loss) / step.batch);
    step.metrics[1] = static_cast<float>(total(&Sums::value) / step.batch / shape_.critics);
    step.metrics[2] = static_cast<float>(std::sqrt(critic_optimizer_.squares()));
  }

  // Report on the policy and step the temperature, whose objective [SAC] eq. 18 is its own
  // derivative by log alpha.
  void finish_policy(const SacStep& step) const {
    const double alpha = alpha_, log_prob = total(&Sums::log_prob) / step.batch;
    const double slope = -alpha * (log_prob + step.target_entropy);
    step.metrics[3] = static_cast<float>(total(&Sums::policy_loss) / step.batch);
    step.metrics[4] = static_cast<float>(log_prob);
    step.metrics[5] = alpha_;
    step.metrics[6] = static_cast<float>(slope);
    step.metrics[7] = static_cast<float>(std::sqrt(policy_optimizer_.squares()));
    if (!step.learn_temperature) return;
    const SacOptimizer& o = step.temperature;
    const double m = o.beta1 * *memory_.log_alpha_m + (1.0 - o.beta1) * slope;
    const double v = o.beta2 * *memory_.log_alpha_v + (1.0 - o.beta2) * slope * slope;
    *memory_.log_alpha_m = static_cast<float>(m);
    *memory_.log_alpha_v = static_cast<float>(v);
    *memory_.log_alpha -= static_cast<float>(o.learning_rate * (m / o.correction1) /
                                             (std::sqrt(v / o.correction2) + o.epsilon));
  }

  // Everything of some rows up to the gradient of the critics' layers.
  void critic_rows(Worker& w, const SacStep& step, const Block& mine) {
    std::fill(sums_.begin() + mine.first, sums_.begin() + mine.last, Sums{});
    observe(w, step, mine);
    const int v = shape_.vector, a = shape_.action, begin = mine.begin(), n = mine.rows();
    const size_t skipped = static_cast<size_t>(begin);
    const Policy::Trace& policy = policy_.kept();
    join(w.critics.pass.input.get(), w.sight.next_features.get(), step.next_vector + skipped * v,
         policy.action.get() + skipped * a, n);
    float* y = w.target.get();
    critics_.least(w.critics, step, begin, n, y);
    const float entropy = step.entropy_backup ? alpha_ : 0.0f;
    for (int r = 0; r < n; ++r) {
      const float value = y[r] - entropy * policy.log_prob.get()[skipped + r];
      y[r] = step.reward[skipped + r] + step.discount[skipped + r] * value;
    }
    join(critics_.kept().input.get() + skipped * critics_.inputs(), sight_.seen(begin),
         step.vector + skipped * v, step.action + skipped * a, n);
    const Partials& partials = critic_optimizer_.partials;
    critics_.gradient(w.critics, step, y, mine, sums_.data(), partials);
    if (!sight_.present()) return;
    const int width = padded(sight_.features());
    const float* dfeatures = w.critics.dfeatures.get();
    mine.each([&](int chunk, int first, int count) {
      sight_.critic_gradient(w.sight, begin + first, count, dfeatures + first * width, width,
                             partials.of(chunk));
    });
  }

  // Image features of all networks, and the policy at s' and s; where it shares the critics'
  // encoder, which is to take a step yet, at s' only.
  void observe(Worker& w, const SacStep& step, const Block& mine) const {
    const int v = shape_.vector, begin = mine.begin(), n = mine.rows();
    const int states = policy_.states() + begin;
    const size_t skipped = static_cast<size_t>(begin) * v;
    const Sight::PolicyRows out = policy_inputs(mine);
    fill(out.next + sight_.features(), step.next_vector + skipped, n);
    fill(out.now + sight_.features(), step.vector + skipped, n);
    if (sight_.present()) sight_.look(w.sight, step, begin, n, out);
    policy_.forward(begin, n);
    policy_.sample(begin, n, noise(step.next_noise, mine));
    if (!step.update_actor || sight_.shared()) return;
    policy_.forward(states, n);
    policy_.sample(states, n, noise(step.noise, mine));
  }

  // Everything of some rows up to the gradient of the policy's layers.
  void policy_rows(Worker& w, const SacStep& step, const Block& mine) {
    const int begin = mine.begin(), n = mine.rows(), states = policy_.states() + begin;
    if (sight_.present()) sight_.look_again(w.sight, begin, n, policy_inputs(mine));
    if (sight_.shared()) {
      policy_.forward(states, n);
      policy_.sample(states, n, noise(step.noise, mine));
    }
    const Policy::Trace& policy = policy_.kept();
    join(w.critics.pass.input.get(), sight_.seen(begin),
         step.vector + static_cast<size_t>(begin) * shape_.vector,
         policy.action.get() + static_cast<size_t>(states) * shape_.action, n);
    const float* log_prob = policy.log_prob.get() + states;
    float* climbed = w.climbed.get();
    critics_.action_gradient(w.critics, step, begin, n, climbed);
    mine.each([&](int chunk, int first, int count) {
      Sums& sums = sums_[chunk];
      for (int r = first; r < first + count; ++r) {
        sums.policy_loss += static_cast<double>(alpha_) * log_prob[r] - climbed[r];
        sums.log_prob += log_prob[r];
      }
    });
    const Partials& partials = policy_optimizer_.partials;
    policy_.gradient(mine, noise(step.noise, mine), w.critics.daction.get(), alpha_,
                     1.0f / static_cast<float>(step.batch), w.dfeatures.get(), partials);
    if (!sight_.present() || sight_.shared()) return;
    const int width = padded(sight_.features());
    mine.each([&](int chunk, int first, int count) {
      sight_.policy_gradient(w.sight, begin + first, count, w.dfeatures.get() + first * width,
                             width, partials.of(chunk));
    });
  }

  Sight::PolicyRows policy_inputs(const Block& mine) const {
    const ptrdiff_t row = policy_.inputs(), begin = mine.begin();
    float* input = policy_.kept().input.get();
    return {input + begin * row, input + (policy_.states() + begin) * row, row};
  }

  const float* noise(const float* all, const Block& mine) const {
    return all + static_cast<size_t>(mine.begin()) * shape_.action;
  }

  // Copy vectors into rows of the policy's input.
  void fill(float* to, const float* vector, int rows) const {
    for (int r = 0; r < rows; ++r, to += policy_.inputs(), vector += shape_.vector) {
      std::memcpy(to, vector, shape_.vector * sizeof(float));
    }
  }

  // (features, vector, action) of the transitions, side by side, as the critics' input.
  void join(float* to, const float* features, const float* vector, const float* action,
            int rows) const {
    const int f = sight_.features(), v = shape_.vector, a = shape_.action;
    for (int r = 0; r < rows; ++r, to += f + v + a, vector += v, action += a) {
      if (f) std::memcpy(to, features + static_cast<size_t>(r) * f, f * sizeof(float));
      std::memcpy(to + f, vector, v * sizeof(float));
      std::memcpy(to + f + v, action, a * sizeof(float));
    }
  }

  const SacShape shape_;
  const SacMemory memory_;
  std::vector<Worker> workers_;
  size_t policy_at_ = 0, policy_size_ = 0, critic_at_ = 0, critic_size_ = 0;
  Sight sight_;
  Policy policy_;
  Critics critics_;
  Optimizer policy_optimizer_, critic_optimizer_;
  std::vector<Sums> sums_;  // by chunk
  int capacity_ = 0;
  SacStep steps_[kAhead];
  Division division_{};      // of the step under way
  float alpha_ = 0.0f;       // temperature before it
  float scale_ = 1.0f;       // that clips the gradient
  Team team_;  // last, so that its threads end before what they work on
};

}  // namespace sac
