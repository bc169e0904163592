// A fixed team of threads that takes one job after the other, with barriers that stay quick on idle
// cores and yield on busy ones.
#pragma once

#include <atomic>
#include <functional>
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
  // Every thread calls work(rank, job) for every job.
  Team(int size, std::function<void(int, unsigned)> work) : size_(size), work_(std::move(work)) {
    for (int i = 0; i < size; ++i) threads_.emplace_back([this, i] { serve(i); });
  }
  ~Team() {
    wait();
    stopped_ = true;
    submit();
    for (std::thread& thread : threads_) thread.join();
  }
  int size() const { return size_; }

  // Hand over the next job, whose number is returned; does not wait for it.
  unsigned submit() {
    const unsigned job = submitted_.fetch_add(1, std::memory_order_release);
    submitted_.notify_all();
    return job;
  }

  // Wait until at most `left` jobs are unfinished.
  void wait(unsigned left = 0) {
    for (;;) {
      const unsigned finished = finished_.load(std::memory_order_acquire);
      if (submitted_.load(std::memory_order_relaxed) - finished <= left) return;
      finished_.wait(finished, std::memory_order_acquire);
    }
  }

  // Wait until all threads of the team are here. One waiting thread that was put aside by the
  // scheduler must not keep its core from the one that everybody waits for: hence the yield.
  void barrier() {
    if (size_ == 1) return;
    const unsigned round = round_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == size_ - 1) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; round_.load(std::memory_order_acquire) == round; ++spins) {
      if (spins < kBarrierSpins) {
        relax();
      } else {
        sched_yield();
      }
    }
  }

 private:
  static constexpr int kBarrierSpins = 300;  // some 10 us
  static constexpr int kIdleYields = 200;    // some 100 us between updates, then sleep

  bool idle(unsigned job) const { return submitted_.load(std::memory_order_acquire) == job; }

  void serve(int rank) {
    for (unsigned job = 0;; ++job) {
      for (int i = 0; i < kBarrierSpins && idle(job); ++i) relax();
      for (int i = 0; i < kIdleYields && idle(job); ++i) sched_yield();
      while (idle(job)) submitted_.wait(job, std::memory_order_acquire);
      if (stopped_) return;
      work_(rank, job);
      barrier();
      if (rank == 0) {
        finished_.store(job + 1, std::memory_order_release);
        finished_.notify_all();
      }
    }
  }

  const int size_;
  const std::function<void(int, unsigned)> work_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
  alignas(64) std::atomic<unsigned> submitted_{0};
  alignas(64) std::atomic<unsigned> finished_{0};
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<unsigned> round_{0};
};

}  // namespace sac
