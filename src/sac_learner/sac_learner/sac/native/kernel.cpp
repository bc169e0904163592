// The learner's kernel as library.py calls it.
#include <exception>

#include "interface.hpp"
#include "learner.hpp"

extern "C" {

// What the processor must have; read before anything else, so it uses no vector instruction.
const char* sac_instructions() {
  return ""
#if defined(__AVX512F__)
         "avx512f avx512vl avx512dq avx512bw "
#endif
#if defined(__AVX2__)
         "avx2 fma "
#elif defined(__AVX__)
         "avx "
#endif
      ;
}

// Size of what passes between Python and here: a kernel of other sources has another.
int32_t sac_interface() { return sizeof(SacShape) * 1000 + sizeof(SacStep); }

void* sac_create(const SacShape* shape, const SacMemory* memory) {
  try {
    return new sac::Learner(*shape, *memory);
  } catch (const std::exception&) {
    return nullptr;
  }
}

void sac_destroy(void* learner) { delete static_cast<sac::Learner*>(learner); }

// Read parameters anew that were written from outside; no step may be under way.
void sac_refresh(void* learner) { static_cast<sac::Learner*>(learner)->refresh(); }

// Take up to SAC_GROUP steps after those handed over before, on which the caller works meanwhile. On
// return these and the one before may be under way: what a step points to must stay until two later
// calls have returned, or sac_wait has.
void sac_submit(void* learner, const SacStep* steps, int32_t count) {
  static_cast<sac::Learner*>(learner)->submit(steps, count);
}

// Wait until all steps are taken and their metrics written.
void sac_wait(void* learner) { static_cast<sac::Learner*>(learner)->wait(); }

}  // extern "C"
