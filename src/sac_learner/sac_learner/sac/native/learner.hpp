// One update of Soft Actor-Critic, shared out among a team of threads.
//
// Each thread takes a share of the batch through all layers of all networks with its own serial
// products, so an update needs five barriers instead of two per matrix product. The mathematics is
// that of reference.py, equations there.
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
        team_(shape.threads, [this](int rank, unsigned job) { share(rank, job); }) {
    sight_.add_tasks(policy_optimizer_.tasks, critic_optimizer_.tasks);
    policy_.add_tasks(policy_optimizer_.tasks);
    critics_.add_tasks(critic_optimizer_.tasks);
    for (Worker& w : workers_) {
      w.critic_gradient = Buffer(critic_size_);
      w.policy_gradient = Buffer(policy_size_);
      critic_gradients_.push_back(w.critic_gradient.get());
      policy_gradients_.push_back(w.policy_gradient.get());
    }
    refresh();
  }

  // Read all parameters anew.
  void refresh() {
    sight_.refresh(memory_);
    policy_.refresh();
    critics_.refresh();
  }

  // Hand a step over; waits only while kAhead of them are under way.
  void submit(const SacStep& step) {
    if (step.batch > capacity_) {
      team_.wait();
      reserve(step.batch);
    }
    team_.wait(kAhead - 1);
    steps_[next_++ % kAhead] = step;
    team_.submit();
  }

  void wait() { team_.wait(); }

 private:
  static constexpr unsigned kAhead = 2;

  // What each thread adds up. The critics know the first two.
  enum Sum { kLoss, kValue, kCriticSquares, kPolicyLoss, kLogProb, kPolicySquares, kSums };

  struct Worker {
    Policy::Scratch policy;
    Critics::Scratch critics;
    Sight::Scratch sight;
    Buffer critic_gradient, policy_gradient;
    Buffer target, climbed;
    float alpha;  // temperature before its step
    double sums[kSums];
  };

  struct Rows {
    int begin, count;
  };

  // A thread's share of the batch; images go in whole groups of kLanes.
  Rows rows(int batch, int rank) const {
    const int unit = sight_.present() ? kLanes : 1;
    const long units = (batch + unit - 1) / unit;
    const auto first = [&](int n) {
      return static_cast<int>(std::min<long>(batch, units * n / team_.size() * unit));
    };
    return {first(rank), first(rank + 1) - first(rank)};
  }

  void reserve(int batch) {
    if (batch <= capacity_) return;
    capacity_ = batch;
    const int most = batch / team_.size() + kLanes;
    for (Worker& w : workers_) {
      w.policy = policy_.scratch(most);
      w.critics = critics_.scratch(most);
      w.sight = sight_.scratch(most);
      w.target = Buffer(most);
      w.climbed = Buffer(most);
    }
  }

  // The whole update as one thread sees it.
  void share(int rank, unsigned job) {
    const SacStep& step = steps_[job % kAhead];
    const Rows mine = rows(step.batch, rank);
    Worker& w = workers_[rank];
    w.alpha = std::exp(*memory_.log_alpha);
    std::fill(w.sums, w.sums + kSums, 0.0);
    observe(w, step, mine);
    critic_gradient(w, step, mine);
    team_.barrier();
    optimise(rank, critic_optimizer_, critic_gradients_, step.critic, kCriticSquares,
             step.update_target ? step.tau : 0.0f);
    team_.barrier();
    if (rank == 0) report_critics(step);
    if (!step.update_actor) return;
    policy_gradient(w, step, mine);
    team_.barrier();
    optimise(rank, policy_optimizer_, policy_gradients_, step.actor, kPolicySquares, 0.0f);
    team_.barrier();
    if (rank == 0) finish_policy(step);
  }

  double total(Sum which) const {
    double total = 0.0;
    for (const Worker& w : workers_) total += w.sums[which];
    return total;
  }

  void report_critics(const SacStep& step) const {
    step.metrics[0] = static_cast<float>(total(kLoss) / step.batch);
    step.metrics[1] = static_cast<float>(total(kValue) / step.batch / shape_.critics);
    step.metrics[2] = static_cast<float>(std::sqrt(total(kCriticSquares)));
  }

  // Report on the policy and step the temperature, whose objective [SAC] eq. 18 is its own
  // derivative by log alpha.
  void finish_policy(const SacStep& step) const {
    const double alpha = workers_[0].alpha, log_prob = total(kLogProb) / step.batch;
    const double slope = -alpha * (log_prob + step.target_entropy);
    step.metrics[3] = static_cast<float>(total(kPolicyLoss) / step.batch);
    step.metrics[4] = static_cast<float>(log_prob);
    step.metrics[5] = workers_[0].alpha;
    step.metrics[6] = static_cast<float>(slope);
    step.metrics[7] = static_cast<float>(std::sqrt(total(kPolicySquares)));
    if (!step.learn_temperature) return;
    const SacOptimizer& o = step.temperature;
    const double m = o.beta1 * *memory_.log_alpha_m + (1.0 - o.beta1) * slope;
    const double v = o.beta2 * *memory_.log_alpha_v + (1.0 - o.beta2) * slope * slope;
    *memory_.log_alpha_m = static_cast<float>(m);
    *memory_.log_alpha_v = static_cast<float>(v);
    *memory_.log_alpha -= static_cast<float>(o.learning_rate * (m / o.correction1) /
                                             (std::sqrt(v / o.correction2) + o.epsilon));
  }

  // Image features of all networks, and the policy at s' and s; where it shares the critics'
  // encoder, which is to take a step yet, at s' only.
  void observe(Worker& w, const SacStep& step, Rows mine) const {
    const int v = shape_.vector, n = mine.count;
    const size_t skipped = static_cast<size_t>(mine.begin) * v;
    fill(w.policy.input.get() + sight_.features(), step.next_vector + skipped, n);
    fill(w.policy.input.get() + sight_.features() + static_cast<size_t>(n) * policy_.inputs(),
         step.vector + skipped, n);
    if (sight_.present()) sight_.look(w.sight, step, mine.begin, n, policy_rows(w, n));
    const bool both = step.update_actor && !sight_.shared();
    policy_.forward(w.policy, 0, both ? 2 * n : n);
    policy_.sample(w.policy, 0, n, noise(step.next_noise, mine));
    if (both) policy_.sample(w.policy, n, n, noise(step.noise, mine));
  }

  void critic_gradient(Worker& w, const SacStep& step, Rows mine) const {
    const int v = shape_.vector, a = shape_.action, n = mine.count;
    const size_t skipped = static_cast<size_t>(mine.begin);
    join(w, w.sight.next_features, step.next_vector + skipped * v, w.policy.action.get(), n);
    float* y = w.target.get();
    critics_.least(w.critics, step, mine.begin, n, y);
    const float entropy = step.entropy_backup ? w.alpha : 0.0f;
    for (int r = 0; r < n; ++r) {
      const float value = y[r] - entropy * w.policy.log_prob.get()[r];
      y[r] = step.reward[mine.begin + r] + step.discount[mine.begin + r] * value;
    }
    join(w, w.sight.features, step.vector + skipped * v, step.action + skipped * a, n);
    float* gradients = w.critic_gradient.get();
    critics_.gradient(w.critics, step, y, mine.begin, n, w.sums, gradients);
    if (!sight_.present()) return;
    sight_.critic_gradient(w.sight, n, w.critics.dfeatures.get(), padded(sight_.features()),
                           gradients);
  }

  void policy_gradient(Worker& w, const SacStep& step, Rows mine) const {
    const int n = mine.count;
    if (sight_.present()) sight_.look_again(w.sight, n, policy_rows(w, n));
    if (sight_.shared()) {
      policy_.forward(w.policy, n, n);
      policy_.sample(w.policy, n, n, noise(step.noise, mine));
    }
    join(w, w.sight.features, step.vector + static_cast<size_t>(mine.begin) * shape_.vector,
         w.policy.action.get() + static_cast<size_t>(n) * shape_.action, n);
    const float* log_prob = w.policy.log_prob.get() + n;
    const float* climbed = w.climbed.get();
    critics_.action_gradient(w.critics, step, mine.begin, n, w.climbed.get());
    for (int r = 0; r < n; ++r) {
      w.sums[kPolicyLoss] += static_cast<double>(w.alpha) * log_prob[r] - climbed[r];
      w.sums[kLogProb] += log_prob[r];
    }
    policy_.gradient(w.policy, n, noise(step.noise, mine), w.critics.daction.get(), w.alpha,
                     1.0f / static_cast<float>(step.batch), w.policy_gradient.get());
    if (!sight_.present() || sight_.shared()) return;
    sight_.policy_gradient(w.sight, n, w.policy.dinput.get(), padded(sight_.features()),
                           w.policy_gradient.get());
  }

  Sight::PolicyRows policy_rows(Worker& w, int n) const {
    const ptrdiff_t row = policy_.inputs();
    return {w.policy.input.get(), w.policy.input.get() + n * row, row};
  }

  const float* noise(const float* all, Rows mine) const {
    return all + static_cast<size_t>(mine.begin) * shape_.action;
  }

  // Copy vectors into rows of the policy's input.
  void fill(float* to, const float* vector, int rows) const {
    for (int r = 0; r < rows; ++r, to += policy_.inputs(), vector += shape_.vector) {
      std::memcpy(to, vector, shape_.vector * sizeof(float));
    }
  }

  // (features, vector, action) of the transitions, side by side, as the critics' input.
  void join(Worker& w, const Buffer& features, const float* vector, const float* action,
            int rows) const {
    const int f = sight_.features(), v = shape_.vector, a = shape_.action;
    float* to = w.critics.input.get();
    for (int r = 0; r < rows; ++r, to += f + v + a, vector += v, action += a) {
      if (f) std::memcpy(to, features.get() + static_cast<size_t>(r) * f, f * sizeof(float));
      std::memcpy(to + f, vector, v * sizeof(float));
      std::memcpy(to + f + v, action, a * sizeof(float));
    }
  }

  // Adam over this thread's share of the parameters, in every form in which they are kept.
  void optimise(int rank, Optimizer& optimizer, const std::vector<const float*>& gradients,
                const SacOptimizer& settings, Sum squares, float tau) {
    double& mine = workers_[rank].sums[squares];
    float scale = 1.0f;
    if (settings.clip > 0.0f) {
      optimizer.each(rank, team_.size(),
                     [&](const Task& task) { mine += optimizer.squares(task, gradients); });
      team_.barrier();
      double total = 0.0;
      for (const Worker& w : workers_) total += w.sums[squares];
      const float norm = static_cast<float>(std::sqrt(total));
      scale = std::min(1.0f, settings.clip / (norm + kClipEpsilon));
    }
    double stepped = 0.0;
    optimizer.each(rank, team_.size(), [&](Task& task) {
      stepped += optimizer.step(task, settings, gradients, scale, tau);
    });
    if (settings.clip <= 0.0f) mine = stepped;
  }

  const SacShape shape_;
  const SacMemory memory_;
  std::vector<Worker> workers_;
  size_t policy_at_ = 0, policy_size_ = 0, critic_at_ = 0, critic_size_ = 0;
  Sight sight_;
  Policy policy_;
  Critics critics_;
  Optimizer policy_optimizer_, critic_optimizer_;
  std::vector<const float*> policy_gradients_, critic_gradients_;  // of all threads
  int capacity_ = 0;
  unsigned next_ = 0;
  SacStep steps_[kAhead];
  Team team_;  // last, so that its threads end before what they work on
};

}  // namespace sac
