// What library.py hands over; its ctypes structures mirror these one by one.
#pragma once

#include <cstdint>

// Most steps that are handed over at a time.
#define SAC_GROUP 4

extern "C" {

struct SacConvolution {
  int32_t channels, kernel, stride, padding, pool, pool_stride;
};

struct SacShape {
  int32_t vector, action, critics, actor_layers, critic_layers, threads, has_target;
  int32_t height, width, image_channels, convolutions, shared_encoder;
  int32_t actor_layer_norm, critic_layer_norm;
  const int32_t* actor_hidden;
  const int32_t* critic_hidden;
  const SacConvolution* encoder;
  float log_std_min, log_std_max;
};

struct SacMemory {
  float *actor, *actor_m, *actor_v, *critic, *critic_m, *critic_v, *target;
  float *log_alpha, *log_alpha_m, *log_alpha_v;
  float* average;  // of the policy, or null
};

struct SacOptimizer {
  float learning_rate, beta1, beta2, epsilon, weight_decay, clip, correction1, correction2;
};

struct SacStep {
  int32_t batch, update_actor, update_target, learn_temperature;
  int32_t entropy_backup, mean_reduction, subset_size;
  const int32_t* subset;
  const float *vector, *action, *reward, *discount, *next_vector, *next_noise, *noise;
  const uint8_t *image, *next_image;  // (batch, height, width, channels)
  const int64_t* shifts;              // (2, batch, 2) rows and columns, of image and next_image
  // Dropout factors per hidden layer of the critics, (critics, batch, units), of three passes.
  const float *const *target_masks, *const *critic_masks, *const *actor_masks;
  float* metrics;  // out, 8: critic loss, q, norm; actor loss, log prob, alpha, its loss, norm
  float tau, target_entropy, average;  // average: step of the averaged policy
  SacOptimizer actor, critic, temperature;
};

}  // extern "C"
