// What the fuzzers share. An input may be refused by an Error that names its file. Whatever else
// happens (another exception, a signal, a sanitizer's report, too much time or memory) ends the
// process, and libFuzzer keeps the input.
#pragma once
#include <cstdint>
#include <string>

#include "orepa/error.h"
#include "orepa/net.h"

namespace orepa::fuzz {

// An empty folder of this process, in memory; ends in a slash.
const std::string& folder();
void write_file(const std::string& path, const uint8_t* bytes, size_t size);

// Ends the process with a message unless `message` has `place` in it.
void require_place(const std::string& message, const std::string& place);

// Runs call(), which may throw an Error that names `place`.
template <class Call>
void refuses_or_does(const std::string& place, Call call) {
  try {
    call();
  } catch (const Error& error) {
    require_place(error.what(), place);
  }
}

// Builds the net without memory. Returns whether a pass over it is small enough to be run a
// thousand times.
bool builds_small(const NetSpec& spec, Phase phase, Device& device);

// A net of a few weights of every kind: what the targets of weight files read them for.
struct SmallNet {
  explicit SmallNet(Phase phase);
  NetSpec spec;
  std::unique_ptr<Device> device = make_device("cpu");
  Parameters parameters;
  Arena arena{*device};
  Net net;
};

}  // namespace orepa::fuzz
