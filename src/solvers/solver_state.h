// A SolverState as a file: .solverstate or, by the ending, .solverstate.h5, Caffe's two formats.
// Ours end with a checksum of all that stands before it, and no beginning of one passes as Caffe's,
// which has none.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "orepa.pb.h"

namespace orepa {

uint32_t checksum(std::string_view bytes);  // CRC-32

// The bytes of a file of that name.
std::string solver_state_bytes(const std::string& path, const SolverState& state);
// Throws Error for a file that is no whole state.
SolverState read_solver_state(const std::string& path);

}  // namespace orepa
