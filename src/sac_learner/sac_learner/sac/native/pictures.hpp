// Camera images, a lane each.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "convolution.hpp"

namespace sac {

typedef uint8_t Bytes __attribute__((vector_size(16), aligned(1), may_alias));

struct ImageShape {
  int height, width, channels;
  int bytes() const { return height * width * channels; }
};

// Move an image by whole pixels, the border repeated [DrQ], arXiv:2004.13649.
inline void shift_image(const ImageShape& shape, const uint8_t* image, const int64_t* shift,
                        uint8_t* out) {
  const int c = shape.channels, right = static_cast<int>(shift[1]);
  for (int y = 0; y < shape.height; ++y) {
    const int from = std::clamp(y - static_cast<int>(shift[0]), 0, shape.height - 1);
    const uint8_t* source = image + from * shape.width * c;
    uint8_t* to = out + y * shape.width * c;
    for (int x = 0; x < shape.width; ++x) {
      std::memcpy(to + x * c, source + std::clamp(x - right, 0, shape.width - 1) * c, c);
    }
  }
}

// Turn up to kLanes images into bytes (height, width, channels, lanes); other lanes are black.
// Rows of 16 bytes are zipped like a deck of cards; after log2(lanes) rounds columns are rows.
inline void interleave(const uint8_t* const* images, int count, int bytes, uint8_t* out) {
  for (int begin = 0; begin < bytes; begin += 16) {
    Bytes rows[kLanes];
    const int size = std::min(16, bytes - begin);
    for (int i = 0; i < kLanes; ++i) {
      rows[i] = Bytes{};
      if (i < count) std::memcpy(&rows[i], images[i] + begin, size);
    }
    for (int round = kLanes; round > 1; round /= 2) {
      Bytes next[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes / 2; ++i) {
        const Bytes a = rows[i], b = rows[i + kLanes / 2];
        next[2 * i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6,
                                              22, 7, 23);
        next[2 * i + 1] = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13,
                                                  29, 14, 30, 15, 31);
      }
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) rows[i] = next[i];
    }
    std::memcpy(out + static_cast<size_t>(begin) * kLanes, rows, size * kLanes);
  }
}

// Write interleaved bytes into a plane as numbers from 0 to 1.
inline void spread(const Plane& plane, const uint8_t* bytes, float* x) {
  const int run = plane.width * plane.channels * kLanes;
  for (int row = 0; row < plane.height; ++row, bytes += run) {
    const uint8_t* __restrict from = bytes;
    float* __restrict to = x + plane.at(row, 0);
    for (int i = 0; i < run; ++i) to[i] = from[i] * (1.0f / 255.0f);
  }
}

}  // namespace sac
