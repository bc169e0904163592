// One update of Soft Actor-Critic, shared out among a team of threads.
//
// A chunk of the batch goes through all layers of all networks as one task with its own serial
// products; then some rows of a weight matrix are one task, with the product that is their gradient
// and their step of Adam. So an update has four phases. A thread takes several tasks at a time and
// makes their products as one, since what it has fetched should serve many rows; sums over rows are
// kept by chunk, so that the result does not depend on who took what.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "networks.hpp"
#include "optimizer.hpp"
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
        networks_(shape, memory),
        policy_optimizer_(memory.actor, memory.actor_m, memory.actor_v,
                          {memory.average, false}),
        critic_optimizer_(memory.critic, memory.critic_m, memory.critic_v,
                          {shape.has_target ? memory.target : nullptr, true}),
        team_(shape.threads,
              {kPhases, [this](unsigned job, int phase) { return begin(job, phase); },
               [this](unsigned job, int phase, int first, int count, int rank) {
                 run(job, phase, first, first + count, rank);
               },
               [this](unsigned job, int phase) { end(job, phase); }}) {
    networks_.add_tasks(policy_optimizer_.tasks, critic_optimizer_.tasks);
    policy_optimizer_.prepare();
    critic_optimizer_.prepare();
    const int largest = std::max(policy_optimizer_.largest(), critic_optimizer_.largest());
    for (Worker& w : workers_) w.gradient = Buffer(static_cast<size_t>(padded(largest)) * kTasks);
    refresh();
  }

  // Read all parameters anew.
  void refresh() { networks_.refresh(memory_); }

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
    Networks::Scratch networks;
    Buffer gradient, transposed;
  };

  // The batch in chunks of about 20 rows, which one, two, three, four and six threads share evenly;
  // with images in whole groups of kLanes. Independent of the threads, as sums over chunks round.
  Division division(int batch) const {
    if (networks_.see()) return {batch, (batch + kImages - 1) / kImages, kImages};
    const int even = (batch + 12 * kRows - 1) / (12 * kRows) * 12;
    return {batch, std::max(1, std::min(even, batch / 8))};
  }

  // Take memory that a step needs.
  void prepare(const SacStep& step) {
    if (step.batch <= capacity_) return;
    wait();
    capacity_ = step.batch;
    networks_.reserve(capacity_);
    const int chunks = division(capacity_).chunks;  // smaller batches have no more
    sums_.resize(chunks);
    critic_optimizer_.partials.reserve(chunks, networks_.critic_size());
    policy_optimizer_.partials.reserve(chunks, networks_.policy_size());
    const int most = std::min(capacity_, 2 * kRows * kBlock);
    const int deepest = std::max(policy_optimizer_.deepest(), critic_optimizer_.deepest());
    const size_t tiles = Tiles(deepest * kTasks).count * kTileRows;
    for (Worker& w : workers_) {
      w.transposed = Buffer(tiles * capacity_);
      w.networks = networks_.scratch(most);
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
        std::fill(sums_.begin() + first, sums_.begin() + last, Sums{});
        return networks_.critic_rows(w.networks, step, {division_, first, last}, alpha_,
                                     sums_.data(), critic_optimizer_.partials);
      case kCriticWeights:
        return weights(w, critic_optimizer_, first, last, step.critic, tau);
      case kCriticClipped:
        return critic_optimizer_.step_kept(first, last, step.critic, scale_, tau);
      case kPolicyRows:
        return networks_.policy_rows(w.networks, step, {division_, first, last}, alpha_,
                                     sums_.data(), policy_optimizer_.partials);
      case kPolicyWeights:
        return weights(w, policy_optimizer_, first, last, step.actor, step.average);
      default:
        return policy_optimizer_.step_kept(first, last, step.actor, scale_, step.average);
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

  const SacShape shape_;
  const SacMemory memory_;
  std::vector<Worker> workers_;
  Networks networks_;
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
