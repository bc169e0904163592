// Threads that take the tasks of one job after the other, the caller among them.
//
// A job has phases and a phase has tasks, which any thread may take; the next phase begins when all
// tasks are done. Nobody waits for a thread that the scheduler has put aside, or for a caller that
// is elsewhere, unless it holds the last task. What a task computes must not depend on its thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <sched.h>

namespace sac {

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

class Team {
 public:
  struct Work {
    unsigned phases;
    std::function<int(unsigned job, int phase)> begin;  // returns the number of tasks, may be 0
    std::function<void(unsigned job, int phase, int task, int rank)> run;
    std::function<void(unsigned job, int phase)> end;   // after the last task, unless there was none
  };

  // `size` threads, of which the caller is one, with rank 0.
  Team(int size, Work work) : work_(std::move(work)), shares_(size) {
    for (int rank = 1; rank < size; ++rank) threads_.emplace_back([this, rank] { serve(rank); });
  }
  ~Team() {
    wait();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopped_ = true;
      open(0);
    }
    for (std::thread& thread : threads_) thread.join();
  }

  // Hand over the next jobs once the one before is past its first phase; work on it until then.
  // store(job, i) puts down what the i-th of them is about.
  template <class F>
  void submit(int count, F store) {
    if (submitted_ > 0) help((submitted_ - 1) * work_.phases + 1);
    for (int i = 0; i < count; ++i) store(submitted_ + i, i);
    const std::lock_guard<std::mutex> lock(mutex_);
    const bool idle = stage_.load(std::memory_order_relaxed) == submitted_ * work_.phases;
    submitted_ += count;
    if (idle) start();
  }

  // Work until all jobs are done.
  void wait() { help(submitted_ * work_.phases); }

 private:
  static constexpr int kSpins = 300;   // some 10 us
  static constexpr int kYields = 200;  // some 100 us on an idle core, then sleep

  // Tasks [first, last) of the phase that `token` opened, in one word so that taking one is atomic
  // and whoever comes late takes nothing.
  struct alignas(64) Share {
    std::atomic<uint64_t> word{0};

    void set(uint32_t token, int first, int last) {
      word.store(uint64_t{token} << 32 | static_cast<unsigned>(first) << 16 | last,
                 std::memory_order_release);
    }

    // Returns -1 if there is none left.
    int take(uint32_t token, bool front) {
      uint64_t now = word.load(std::memory_order_acquire);
      for (;;) {
        const int first = now >> 16 & 0xffff, last = now & 0xffff;
        if (now >> 32 != token || first == last) return -1;
        const uint64_t rest = front ? now + 0x10000 : now - 1;
        if (word.compare_exchange_weak(now, rest, std::memory_order_acq_rel)) {
          return front ? first : last - 1;
        }
      }
    }
  };

  void serve(int rank) {
    for (;;) {
      const uint32_t token = token_.load(std::memory_order_acquire);
      if (stopped_) return;
      while (work(rank, token)) continue;
      pause(token);
    }
  }

  // Work until `stage` (jobs begun so far times phases, plus phases of the current one) is reached.
  void help(unsigned stage) {
    const auto reached = [&] {
      return static_cast<int>(stage_.load(std::memory_order_acquire) - stage) >= 0;
    };
    while (!reached()) {
      const uint32_t token = token_.load(std::memory_order_acquire);
      if (!reached() && !work(0, token)) pause(token);
    }
  }

  // Do one task, from this thread's own share or the end of another's; false: none left.
  bool work(int rank, uint32_t token) {
    const int size = static_cast<int>(shares_.size());
    for (int i = 0; i < size; ++i) {
      const int task = shares_[(rank + i) % size].take(token, i == 0);
      if (task < 0) continue;
      work_.run(job_, phase_, task, rank);
      if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) advance();
      return true;
    }
    return false;
  }

  // Wait for another phase. A thread that was put aside must not be kept from its core by those that
  // wait for it: hence the yield.
  void pause(uint32_t token) {
    const auto same = [&] { return token_.load(std::memory_order_acquire) == token; };
    for (int i = 0; i < kSpins && same(); ++i) relax();
    for (int i = 0; i < kYields && same(); ++i) sched_yield();
    while (same()) token_.wait(token, std::memory_order_acquire);
  }

  // The last task of a phase is done; called by the thread that did it.
  void advance() {
    work_.end(job_, phase_);
    const unsigned phases = work_.phases;
    int tasks = 0;
    while (++phase_ < static_cast<int>(phases) && !(tasks = work_.begin(job_, phase_))) continue;
    if (tasks) {
      stage_.store(job_ * phases + phase_, std::memory_order_release);
      open(tasks);
      return;
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    stage_.store(++job_ * phases, std::memory_order_release);
    if (job_ != submitted_) {
      start();
    } else {
      open(0);
    }
  }

  void start() {
    phase_ = 0;
    open(work_.begin(job_, 0));
  }

  void open(int tasks) {
    const uint32_t token = token_.load(std::memory_order_relaxed) + 1;
    const int size = static_cast<int>(shares_.size());
    left_.store(tasks, std::memory_order_relaxed);
    for (int i = 0; i < size; ++i) shares_[i].set(token, tasks * i / size, tasks * (i + 1) / size);
    token_.store(token, std::memory_order_release);
    token_.notify_all();
  }

  const Work work_;
  std::vector<Share> shares_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;                 // between a job's end and the next one's arrival
  unsigned job_ = 0, submitted_ = 0;
  int phase_ = 0;
  alignas(64) std::atomic<unsigned> stage_{0};
  alignas(64) std::atomic<uint32_t> token_{0};
  alignas(64) std::atomic<int> left_{0};
};

}  // namespace sac
