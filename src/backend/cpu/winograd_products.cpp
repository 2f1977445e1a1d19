#include "backend/cpu/winograd_products.h"

namespace orepa::cpu::winograd {
namespace {

using dnnl::memory;
using Type = memory::data_type;

// Rows, columns and strides of a stack of matrices.
memory::desc stack(Type type, int64_t count, int64_t rows, int64_t columns, memory::dims strides) {
  return {{count, rows, columns}, type, std::move(strides)};
}
memory::dims strides(bool transpose, int64_t stride, int64_t ld) {
  return transpose ? memory::dims{stride, 1, ld} : memory::dims{stride, ld, 1};
}

}  // namespace

int Multiplier<float>::run(const Product& p, const float* a, const float* b, float* c) const {
  int failures = 0;
  for (int64_t i = 0; i < p.count; ++i)
    failures += dnnl_sgemm(p.transpose ? 'T' : 'N', 'N', p.m, p.n, p.k, 1, a + i * p.stride_a,
                           p.lda, b + i * p.stride_b, p.ldb, p.accumulate ? 1 : 0,
                           c + i * p.stride_c, p.ldc) != dnnl_success;
  return failures;
}

Multiplier<BFloat16>::Multiplier(const OneDnn& onednn) : engine_(onednn.engine) {
  constexpr int64_t any = DNNL_RUNTIME_DIM_VAL;
  for (const bool transpose : {false, true})
    for (const bool accumulate : {false, true}) {
      dnnl::primitive_attr attributes = user_scratchpad();
      if (accumulate) {
        dnnl::post_ops sum;
        sum.append_sum(1.0f);
        attributes.set_post_ops(sum);
      }
      const dnnl::matmul::primitive_desc description(
          {stack(Type::bf16, any, any, any, strides(transpose, any, any)),
           stack(Type::bf16, any, any, any, strides(false, any, any)),
           stack(Type::f32, any, any, any, strides(false, any, any))},
          attributes, engine_);
      require(description.scratchpad_desc().get_size() == 0,
              "products in bfloat16 want a scratchpad, which is not planned");
      matmul_[transpose][accumulate] = dnnl::matmul(description);
    }
}

int Multiplier<BFloat16>::run(const Product& p, const BFloat16* a, const BFloat16* b,
                              float* c) const {
  const auto view = [&](memory::desc desc, const void* data) {
    return memory(desc, engine_, const_cast<void*>(data));
  };
  try {
    dnnl::stream stream(engine_);
    matmul_[p.transpose][p.accumulate].execute(
        stream,
        {{DNNL_ARG_SRC,
          view(stack(Type::bf16, p.count, p.m, p.k, strides(p.transpose, p.stride_a, p.lda)), a)},
         {DNNL_ARG_WEIGHTS,
          view(stack(Type::bf16, p.count, p.k, p.n, strides(false, p.stride_b, p.ldb)), b)},
         {DNNL_ARG_DST,
          view(stack(Type::f32, p.count, p.m, p.n, strides(false, p.stride_c, p.ldc)), c)}});
  } catch (const dnnl::error&) {
    return 1;
  }
  return 0;
}

}  // namespace orepa::cpu::winograd
