// Flags that several commands share, and what they mean to the library.
#pragma once
#include <gflags/gflags.h>

#include <memory>
#include <string>
#include <vector>

#include "orepa/communicator.h"
#include "orepa/net.h"

DECLARE_string(model);
DECLARE_string(weights);
DECLARE_bool(weights_strict);
DECLARE_int32(iterations);
DECLARE_string(phase);
DECLARE_int32(level);
DECLARE_string(stage);
DECLARE_string(algorithm);
DECLARE_string(device);
DECLARE_string(gpu);
DECLARE_string(precision);
DECLARE_string(input);
DECLARE_string(output);
DECLARE_string(output_weights);
DECLARE_string(to);
DECLARE_bool(json);
DECLARE_bool(tf32);
DECLARE_bool(cuda_graph);
DECLARE_double(rank_timeout);

namespace orepa::tool {

// The words between commas, empty ones left out.
std::vector<std::string> split(const std::string& list);

// The flag's value where it is one of `choices`; else throws UsageError.
const std::string& choice(const char* flag, const std::string& value,
                          const std::vector<std::string>& choices);

// --iterations, or `absent` where it is 0.
int64_t iterations(int64_t absent);

// What --device, --gpu, --algorithm and --tf32 say; `absent` where none names a device. `tf32` is
// as good as the flag. Of several GPUs each of several ranks takes one.
std::unique_ptr<Device> make_device(const std::string& absent = "cpu", bool tf32 = false,
                                    const Communicator* ranks = nullptr);

// What --phase (`default_phase` where absent), --level, --stage and --precision say.
NetOptions net_options(Phase default_phase);

}  // namespace orepa::tool
