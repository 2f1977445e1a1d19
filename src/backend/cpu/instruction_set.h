// Loops that are compiled once for every instruction set below, of which one is chosen when the
// program runs. Only src/backend/cpu includes this.
//
// The variants are functions with an attribute among the others of their file, not files with flags
// of their own: of an inline function in such files (std::min is one) the linker could keep the
// copy with AVX-512 for the whole program.
#pragma once

namespace orepa::cpu {

// kBaseline is what the compiler's flags give; the others add to that.
enum class InstructionSet { kBaseline, kAvx2, kAvx512 };

// The best that the processor has and that ONEDNN_MAX_CPU_ISA allows.
InstructionSet instruction_set();

// Whether it has instructions for products of bfloat16, and whether oneDNN makes up for them.
bool multiplies_bfloat16();
bool emulates_bfloat16();

#ifdef __x86_64__
// `flatten` brings what `work` calls into the function, and so to its instruction set. What the
// compiler cannot bring there stays with the baseline: slower, never wrong.
template <class Work>
__attribute__((target("avx2,fma"), flatten)) void execute_avx2(const Work& work) {
  work();
}
template <class Work>
__attribute__((target("fma,avx512f,avx512bw,avx512dq,avx512vl"), flatten)) void execute_avx512(
    const Work& work) {
  work();
}
#endif

// work(), compiled for `set`. REQUIRES: the processor has it. What `work` computes may differ in
// its last bits from set to set (multiply-adds round once).
template <class Work>
void execute(InstructionSet set, const Work& work) {
#ifdef __x86_64__
  if (set == InstructionSet::kAvx512) return execute_avx512(work);
  if (set == InstructionSet::kAvx2) return execute_avx2(work);
#endif
  work();
}

}  // namespace orepa::cpu
