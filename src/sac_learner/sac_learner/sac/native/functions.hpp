// exp and log of whole vectors, within 2 units in the last place (polynomials of Cephes, S. Moshier).
#pragma once

#include "gemm.hpp"

namespace sac {

// e^x, for x below 88; 0 below -87; NaN stays NaN.
inline Vec exponential(Vec x) {
  const Vec low = Vec{} - 87.0f;
  const Mask under = x < low;
  x = under ? low : x;
  const Vec scaled = x * 1.44269504f;
  const Vec half = scaled < 0.0f ? Vec{} - 0.5f : Vec{} + 0.5f;
  const Mask n = __builtin_convertvector(scaled + half, Mask);
  const Vec whole = __builtin_convertvector(n, Vec);
  const Vec r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
  Vec p = Vec{} + 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const Mask exponent = (n + 127) << 23;
  const Vec result = p * reinterpret_cast<const Vec&>(exponent);
  return under ? Vec{} : result;
}

// log x for x in [1, 2].
inline Vec logarithm(Vec x) {
  const Mask upper = x > 1.41421356f;
  const Vec z = (upper ? x * 0.5f : x) - 1.0f;
  Vec p = Vec{} + 7.0376836292e-2f;
  p = p * z - 1.1514610310e-1f;
  p = p * z + 1.1676998740e-1f;
  p = p * z - 1.2420140846e-1f;
  p = p * z + 1.4249322787e-1f;
  p = p * z - 1.6668057665e-1f;
  p = p * z + 2.0000714765e-1f;
  p = p * z - 2.4999993993e-1f;
  p = p * z + 3.3333331174e-1f;
  const Vec zz = z * z;
  const Vec y = p * z * zz - 0.5f * zz + z;
  return upper ? y + 0.693147181f : y;
}

}  // namespace sac
