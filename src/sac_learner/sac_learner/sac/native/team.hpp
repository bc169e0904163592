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
  // Of a phase: how many, may be 0, and how many of its own share a thread takes at a time.
  struct Tasks {
    int count, most;
  };

  struct Work {
    unsigned phases;
    std::function<Tasks(unsigned job, int phase)> begin;
    std::function<void(unsigned job, int phase, int first, int count, int rank)> run;
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
      open({});
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

    // Take up to `most` from the front, or (0) the last one; returns how many, from `first` on.
    int take(uint32_t token, int most, int& first) {
      uint64_t now = word.load(std::memory_order_acquire);
      for (;;) {
        const int begin = now >> 16 & 0xffff, end = now & 0xffff;
        if (now >> 32 != token || begin == end) return 0;
        const int count = most ? std::min(most, end - begin) : 1;
        first = most ? begin : end - 1;
        const uint64_t rest = most ? now + (static_cast<uint64_t>(count) << 16) : now - 1;
        if (word.compare_exchange_weak(now, rest, std::memory_order_acq_rel)) return count;
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

  // Do some tasks of this thread's own share or one from the end of another's; false: none left.
  bool work(int rank, uint32_t token) {
    const int size = static_cast<int>(shares_.size());
    for (int i = 0; i < size; ++i) {
      const int most = i ? 0 : most_.load(std::memory_order_relaxed);
      int first = 0;
      const int count = shares_[(rank + i) % size].take(token, most, first);
      if (!count) continue;
      work_.run(job_, phase_, first, count, rank);
      if (left_.fetch_sub(count, std::memory_order_acq_rel) == count) advance();
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
    Tasks tasks{};
    while (++phase_ < static_cast<int>(phases)) {
      tasks = work_.begin(job_, phase_);
      if (tasks.count) break;
    }
    if (tasks.count) {
      stage_.store(job_ * phases + phase_, std::memory_order_release);
      open(tasks);
      return;
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    stage_.store(++job_ * phases, std::memory_order_release);
    if (job_ != submitted_) {
      start();
    } else {
      open({});
    }
  }

  void start() {
    phase_ = 0;
    open(work_.begin(job_, 0));
  }

  void open(Tasks tasks) {
    const uint32_t token = token_.load(std::memory_order_relaxed) + 1;
    const int size = static_cast<int>(shares_.size()), n = tasks.count;
    left_.store(n, std::memory_order_relaxed);
    most_.store(tasks.most, std::memory_order_relaxed);
    for (int i = 0; i < size; ++i) shares_[i].set(token, n * i / size, n * (i + 1) / size);
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
  std::atomic<int> most_{0};
  alignas(64) std::atomic<int> left_{0};
};

}  // namespace sac
