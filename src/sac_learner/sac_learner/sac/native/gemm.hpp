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

// kLanes columns of kLanes rows become rows.
inline void transpose(const float* from, ptrdiff_t from_row, float* to, ptrdiff_t to_row) {
#if defined(__clang__)
  for (int i = 0; i < kLanes; ++i) {
    for (int k = 0; k < kLanes; ++k) to[i * to_row + k] = from[k * from_row + i];
  }
#else
  Vec v[kLanes], w[kLanes];
  Mask low, high;
  for (int i = 0; i < kLanes; ++i) {
    v[i] = load(from + i * from_row);
    low[i] = i / 2 + i % 2 * kLanes;
    high[i] = low[i] + kLanes / 2;
  }
#pragma GCC unroll 4
  for (int n = 1; n < kLanes; n *= 2) {
#pragma GCC unroll 16
    for (int i = 0; i < kLanes / 2; ++i) {
      w[2 * i] = __builtin_shuffle(v[i], v[i + kLanes / 2], low);
      w[2 * i + 1] = __builtin_shuffle(v[i], v[i + kLanes / 2], high);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) v[i] = w[i];
  }
  for (int i = 0; i < kLanes; ++i) store(to + i * to_row, v[i]);
#endif
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

// Memory that will be written after a product, which takes it from the other caches meanwhile: of
// each array as many elements per panel of C.
struct Wanted {
  float* arrays[3];
  ptrdiff_t panels[3];  // how far the elements of the next panel are
  size_t sizes[3];
  int count;
};

struct Product {
  int rows, inner, columns;           // C is rows x columns (padded), summed over inner
  const float* a;                     // A[m, k] = a[m * a_row + k * a_inner]
  ptrdiff_t a_row, a_inner;
  ptrdiff_t a_tile;                   // how far the next tile's A is; 0: as a_row says
  const float* b;                     // panel p of B starts at b + p * b_panel, its rows b_inner apart
  ptrdiff_t b_panel, b_inner;
  float* c;
  ptrdiff_t c_row;
  const float* bias = nullptr;        // (columns) padded
  const float* mask = nullptr;        // forward activations, rows mask_row apart
  ptrdiff_t mask_row = 0;
  const int* mask_index = nullptr;    // row of `mask` for each row of C; null: the same row
  Wanted wanted{};
};

// What a tile fetches on the way: an address, and how far the next one is for the next of `inner`.
struct Soon {
  const char* at;
  ptrdiff_t step;  // [bytes]
};

template <int M, Finish F>
inline void tile(const Product& g, const float* a, int row, int panel, Soon soon, Soon wanted) {
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
  const float* b = g.b + panel * g.b_panel;
  const ptrdiff_t a_row = g.a_row, a_inner = g.a_inner, b_inner = g.b_inner;
  // Three rows each from a pointer of its own: a register for every row would be too many.
  const float *a3 = a + 3 * a_row, *a6 = a + 6 * a_row, *a9 = a + 9 * a_row;
  for (int k = g.inner; k > 0; --k) {
    const Vec b0 = load(b), b1 = load(b + kLanes);
    __builtin_prefetch(soon.at, 0, 2);  // into the second-level cache
    soon.at += soon.step;
    __builtin_prefetch(wanted.at, 1, 2);
    wanted.at += wanted.step;
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
      const float factor = (m < 3 ? a : m < 6 ? a3 : m < 9 ? a6 : a9)[m % 3 * a_row];
      c[m][0] += factor * b0;
      c[m][1] += factor * b1;
    }
    a += a_inner;
    a3 += a_inner;
    a6 += a_inner;
    a9 += a_inner;
    // Else the compiler makes them one pointer and as many offsets.
    if constexpr (M > 3) asm("" : "+r"(a), "+r"(a3));
    if constexpr (M > 6) asm("" : "+r"(a6));
    if constexpr (M > 9) asm("" : "+r"(a9));
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
inline void any_tile(int m, const Product& g, const float* a, int row, int panel,
                     const Soon& soon, const Soon& wanted) {
  if constexpr (M == 1) {
    tile<1, F>(g, a, row, panel, soon, wanted);
  } else {
    if (m == M) {
      tile<M, F>(g, a, row, panel, soon, wanted);
    } else {
      any_tile<F, M - 1>(m, g, a, row, panel, soon, wanted);
    }
  }
}

// The share of the next panel that the i-th of n tiles fetches, since it may be in another core's
// cache, and fetching it at once would stall.
inline Soon soon(const Product& g, int panel, int i, int n) {
  const char* next = reinterpret_cast<const char*>(g.b + (panel + 1) * g.b_panel);
  const ptrdiff_t row = g.b_inner * static_cast<ptrdiff_t>(sizeof(float));
  if (g.b_inner == kPanel) return {next + g.inner * row / n * i, row / n};
  return {next + i % 2 * kLanes * sizeof(float), row};
}

// Likewise of what will be written.
inline Soon wanted(const Product& g, int panel, int i, int n) {
  const Wanted& w = g.wanted;
  if (!w.count) return {reinterpret_cast<const char*>(g.c), 0};
  const int array = i * w.count / n, first = (array * n + w.count - 1) / w.count;
  const int past = ((array + 1) * n + w.count - 1) / w.count;
  const size_t bytes = w.sizes[array] * sizeof(float) / (past - first);
  return {reinterpret_cast<const char*>(w.arrays[array] + panel * w.panels[array]) +
              (i - first) * bytes,
          static_cast<ptrdiff_t>((bytes + g.inner - 1) / g.inner)};
}

// Equal tiles instead of full ones and a rest: a thin rest costs as much as a full tile.
struct Tiles {
  int rows, count;
  explicit Tiles(int rows) : rows(rows), count((rows + kTileRows - 1) / kTileRows) {}
  int begin(int i) const { return static_cast<int>(static_cast<long>(rows) * i / count); }
};

template <Finish F>
void multiply(const Product& g) {
  if (g.rows <= 0) return;
  const int panels = padded(g.columns) / kPanel;
  const Tiles tiles(g.rows);
  for (int panel = 0; panel < panels; ++panel) {
    for (int i = 0; i < tiles.count; ++i) {
      const int row = tiles.begin(i);
      const float* a = g.a + (g.a_tile ? i * g.a_tile : row * g.a_row);
      any_tile<F>(tiles.begin(i + 1) - row, g, a, row, panel, soon(g, panel, i, tiles.count),
                  wanted(g, panel, i, tiles.count));
    }
  }
}

}  // namespace sac
