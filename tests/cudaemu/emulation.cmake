# How a build for the emulated device differs from the CPU's (-DOREPA_CUDA_EMULATION=ON).
include(src/backend/cuda/functors.cmake)
set(CUDAEMU_HEADER ${CMAKE_SOURCE_DIR}/tests/cudaemu/cuda_emu.h)

# Compiles the functors of a target for the emulation; all else of it is compiled as for the CPU.
function(compile_functors_for_emulation target)
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "\\.cpp$")
  find_functors(functors ${sources})
  set_source_files_properties(${functors} PROPERTIES COMPILE_OPTIONS "-include;${CUDAEMU_HEADER}")
  target_link_libraries(${target} PUBLIC cudaemu)
endfunction()
