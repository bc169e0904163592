// Zeroed memory of its own pages, since threads that share a page share its cache lines.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace sac {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t size) {
    const size_t bytes = (size * sizeof(float) + 4095) / 4096 * 4096 + 4096;
    data_.reset(static_cast<float*>(std::aligned_alloc(4096, bytes)));
    if (!data_) throw std::bad_alloc();
    std::memset(data_.get(), 0, bytes);
  }
  float* get() const { return data_.get(); }

 private:
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  std::unique_ptr<float, Free> data_;
};

}  // namespace sac
