// A fixed team of threads with barriers that stay quick on idle cores and yield on busy ones.
#pragma once

#include <atomic>
#include <functional>
#include <thread>
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
  explicit Team(int size) : size_(size) {
    for (int i = 1; i < size; ++i) threads_.emplace_back([this, i] { serve(i); });
  }
  ~Team() {
    work_ = nullptr;
    start();
    for (std::thread& thread : threads_) thread.join();
  }
  int size() const { return size_; }

  // Run work(rank) on every thread, the caller being rank 0, and wait for all.
  void run(const std::function<void(int)>& work) {
    work_ = &work;
    start();
    work(0);
    barrier();
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

  void start() {
    job_.fetch_add(1, std::memory_order_release);
    job_.notify_all();
  }

  void serve(int rank) {
    unsigned seen = 0;
    for (;;) {
      for (int i = 0; i < kBarrierSpins && job_.load(std::memory_order_acquire) == seen; ++i) relax();
      for (int i = 0; i < kIdleYields && job_.load(std::memory_order_acquire) == seen; ++i) {
        sched_yield();
      }
      job_.wait(seen, std::memory_order_acquire);
      ++seen;
      if (!work_) return;
      (*work_)(rank);
      barrier();
    }
  }

  const int size_;
  const std::function<void(int)>* work_ = nullptr;
  std::vector<std::thread> threads_;
  alignas(64) std::atomic<unsigned> job_{0};
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<unsigned> round_{0};
};

}  // namespace sac
