// Inputs of fuzzers without a fuzzer: `fuzz_replay FOLDER` gives every FOLDER/TARGET/* to its
// target. Where one is not survived, the process ends as a fuzzer does.
#include <cstdio>
#include <filesystem>
#include <map>

#include "core/input_file.h"
#include "orepa/error.h"

extern "C" {
using Target = int(const uint8_t*, size_t);
// As CMakeLists.txt calls them here.
Target fuzz_net, fuzz_solver, fuzz_convert, fuzz_caffemodel, fuzz_solverstate, fuzz_idx, fuzz_jpeg,
    fuzz_png, fuzz_tar, fuzz_datum, fuzz_list, fuzz_sample_index, fuzz_mean, fuzz_run;

// Mutators ask libFuzzer for it; here nothing is mutated.
size_t LLVMFuzzerMutate(uint8_t*, size_t size, size_t) { return size; }
}

namespace {

const std::map<std::string, Target*> kTargets = {{"net", fuzz_net},
                                                 {"solver", fuzz_solver},
                                                 {"convert", fuzz_convert},
                                                 {"caffemodel", fuzz_caffemodel},
                                                 {"solverstate", fuzz_solverstate},
                                                 {"idx", fuzz_idx},
                                                 {"jpeg", fuzz_jpeg},
                                                 {"png", fuzz_png},
                                                 {"tar", fuzz_tar},
                                                 {"datum", fuzz_datum},
                                                 {"list", fuzz_list},
                                                 {"mean", fuzz_mean},
                                                 {"run", fuzz_run},
                                                 {"sample_index", fuzz_sample_index}};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: fuzz_replay FOLDER\n"), 2;
  int inputs = 0;
  for (const auto& folder : std::filesystem::directory_iterator(argv[1])) {
    const std::string target = folder.path().filename();
    const auto found = kTargets.find(target);
    if (found == kTargets.end())
      return std::fprintf(stderr, "%s: there is no fuzzer %s\n", argv[1], target.c_str()), 2;
    for (const auto& file : std::filesystem::directory_iterator(folder.path())) {
      std::printf("%s\n", file.path().c_str());
      std::fflush(stdout);  // the last line is that of the input that was not survived
      const std::string input = orepa::read_file(file.path());
      found->second(reinterpret_cast<const uint8_t*>(input.data()), input.size());
      ++inputs;
    }
  }
  std::printf("%d inputs\n", inputs);
  return inputs > 0 ? 0 : 1;
}
