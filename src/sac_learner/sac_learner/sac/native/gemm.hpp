// Register-blocked single-precision products on GCC vector extensions: AVX-512, AVX2, SSE and NEON
// from one source. Serial; the callers share the rows of a batch among threads.
#pragma once

#include <cstddef>

namespace sac {

#if defined(__AVX512F__)
constexpr int kLanes = 16, kTileRows = 12;  // 24 accumulators of 32 registers
#elif defined(__AVX__)
constexpr int kLanes = 8, kTileRows = 6;    // 12 of 16
#elif defined(__aarch64__)
constexpr int kLanes = 4, kTileRows = 12;   // 24 of 32
#else
constexpr int kLanes = 4, kTileRows = 6;    // 12 of 16
#endif
constexpr int kPanel = 2 * kLanes;  // columns of a tile; every matrix is padded to full panels

typedef float Vec __attribute__((vector_size(kLanes * sizeof(float)), aligned(4), may_alias));
typedef int Mask __attribute__((vector_size(kLanes * sizeof(int)), aligned(4), may_alias));

inline Vec load(const float* p) { return *reinterpret_cast<const Vec*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<Vec*>(p) = v; }
inline float sum(Vec v) {
  float part[kLanes];
  store(part, v);
  for (int n = kLanes / 2; n > 0; n /= 2) {
    for (int i = 0; i < n; ++i) part[i] += part[i + n];
  }
  return part[0];
}

inline int padded(int n) { return (n + kPanel - 1) / kPanel * kPanel; }

// What happens to a tile before it is stored.
enum class Finish {
  kPlain,     // C = A B
  kBias,      // C = A B + bias
  kBiasRelu,  // C = max(A B + bias, 0)
  kAdd,       // C += A B
  kMask,      // C = A B where the forward activation was positive, else 0
};

struct Product {
  int rows, inner, columns;           // C is rows x columns (padded), summed over inner
  const float* a;                     // A[m, k] = a[m * a_row + k * a_inner]
  ptrdiff_t a_row, a_inner;
  const float* b;                     // panel p of B starts at b + p * b_panel, its rows b_inner apart
  ptrdiff_t b_panel, b_inner;
  float* c;
  ptrdiff_t c_row;
  const float* bias = nullptr;        // (columns) padded
  const float* mask = nullptr;        // forward activations, rows mask_row apart
  ptrdiff_t mask_row = 0;
  const int* mask_index = nullptr;    // row of `mask` for each row of C; null: the same row
};

template <int M, Finish F>
inline void tile(const Product& g, int row, int panel) {
  Vec c[M][2];
  const int column = panel * kPanel;
  if constexpr (F == Finish::kBias || F == Finish::kBiasRelu) {
    const Vec b0 = load(g.bias + column), b1 = load(g.bias + column + kLanes);
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) c[m][0] = b0, c[m][1] = b1;
  } else {
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) c[m][0] = c[m][1] = Vec{};
  }
  const float* a = g.a + row * g.a_row;
  const float* b = g.b + panel * g.b_panel;
  const ptrdiff_t a_row = g.a_row, a_inner = g.a_inner, b_inner = g.b_inner;
  for (int k = g.inner; k > 0; --k) {
    const Vec b0 = load(b), b1 = load(b + kLanes);
    // The next panel, into the second-level cache: it may be in another core's.
    __builtin_prefetch(b + g.b_panel, 0, 2);
    __builtin_prefetch(b + g.b_panel + kLanes, 0, 2);
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
      const float factor = a[m * a_row];
      c[m][0] += factor * b0;
      c[m][1] += factor * b1;
    }
    a += a_inner;
    b += b_inner;
  }
  float* out = g.c + row * g.c_row + column;
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) {
    Vec c0 = c[m][0], c1 = c[m][1];
    if constexpr (F == Finish::kAdd) {
      c0 += load(out + m * g.c_row);
      c1 += load(out + m * g.c_row + kLanes);
    }
    if constexpr (F == Finish::kBiasRelu) {
      c0 = c0 <= 0.0f ? Vec{} : c0;  // keeps NaN
      c1 = c1 <= 0.0f ? Vec{} : c1;
    }
    if constexpr (F == Finish::kMask) {
      const ptrdiff_t source = g.mask_index ? g.mask_index[row + m] : row + m;
      const float* h = g.mask + source * g.mask_row + column;
      c0 = load(h) > 0.0f ? c0 : Vec{};
      c1 = load(h + kLanes) > 0.0f ? c1 : Vec{};
    }
    store(out + m * g.c_row, c0);
    store(out + m * g.c_row + kLanes, c1);
  }
}

template <Finish F, int M = kTileRows>
inline void any_tile(int m, const Product& g, int row, int panel) {
  if constexpr (M == 1) {
    tile<1, F>(g, row, panel);
  } else {
    if (m == M) {
      tile<M, F>(g, row, panel);
    } else {
      any_tile<F, M - 1>(m, g, row, panel);
    }
  }
}

// Equal tiles instead of full ones and a rest: a thin rest costs as much as a full tile.
template <Finish F>
void multiply(const Product& g) {
  if (g.rows <= 0) return;
  const int panels = padded(g.columns) / kPanel;
  const int tiles = (g.rows + kTileRows - 1) / kTileRows;
  for (int panel = 0; panel < panels; ++panel) {
    for (int i = 0; i < tiles; ++i) {
      const int row = static_cast<int>(static_cast<long>(g.rows) * i / tiles);
      const int end = static_cast<int>(static_cast<long>(g.rows) * (i + 1) / tiles);
      any_tile<F>(end - row, g, row, panel);
    }
  }
}

}  // namespace sac
