#include "backend/cpu/instruction_set.h"

#include <dnnl.hpp>

namespace orepa::cpu {
namespace {

using dnnl::cpu_isa;

// oneDNN's sets are bits, of which a larger set has those of the smaller ones.
bool has(cpu_isa set) {
  const auto effective = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  return (effective & static_cast<unsigned>(set)) == static_cast<unsigned>(set);
}

}  // namespace

InstructionSet instruction_set() {
#ifdef __x86_64__
  if (has(cpu_isa::avx512_core)) return InstructionSet::kAvx512;
  if (has(cpu_isa::avx2)) return InstructionSet::kAvx2;  // with multiply-add
#endif
  return InstructionSet::kBaseline;
}

bool multiplies_bfloat16() { return has(cpu_isa::avx512_core_bf16); }
bool emulates_bfloat16() { return has(cpu_isa::avx512_core); }

}  // namespace orepa::cpu
