// Zeroed memory on pages of its own, huge ones where the system has them: addresses that are close
// then share no set of a cache by chance, and few translations serve them all.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

#include <sys/mman.h>

namespace sac {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t size) {
    // A page more: products may read past the end, and threads must not share a line.
    const size_t bytes = (size * sizeof(float) + kPage - 1) / kPage * kPage + kPage;
    static std::mutex mutex;
    static std::weak_ptr<Block> latest;
    const std::lock_guard<std::mutex> lock(mutex);
    block_ = latest.lock();
    if (!block_ || block_->used + bytes > block_->size) {
      block_ = std::make_shared<Block>(bytes);
      latest = block_;
    }
    data_ = reinterpret_cast<float*>(block_->data + block_->used);
    // Not a multiple of a page: arrays that are walked side by side would meet in the same sets.
    block_->used += bytes + kSkew;
    std::memset(data_, 0, bytes);
  }
  float* get() const { return data_; }

 private:
  static constexpr size_t kPage = 4096, kHuge = 2 << 20, kSkew = 320;

  // What several buffers lie in; goes with the last of them.
  struct Block {
    explicit Block(size_t least) : size((std::max(least, 4 * kHuge) + kHuge - 1) / kHuge * kHuge) {
      data = static_cast<char*>(std::aligned_alloc(kHuge, size));
      if (!data) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
      madvise(data, size, MADV_HUGEPAGE);
#endif
    }
    ~Block() { std::free(data); }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

    size_t size, used = 0;
    char* data;
  };

  std::shared_ptr<Block> block_;
  float* data_ = nullptr;
};

}  // namespace sac
