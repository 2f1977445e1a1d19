// What a report needs of a run's folder. docs/report.md says what its files hold.
#pragma once
#include <string>
#include <vector>

#include "report/curve.h"
#include "report/json_files.h"

namespace orepa::tool {

// How large the branches of a layer were, a curve a branch.
struct LayerCurves {
  std::string layer;
  std::vector<Curve> norm, share;
};

struct TrainingRun {
  std::string name;             // of its folder
  std::vector<Curve> training;  // "loss", "rate", "images_per_second", "data_wait"
  std::vector<Curve> tests;     // by output; of a second test net "accuracy (test 1)"
  std::vector<LayerCurves> branches;
  std::string solver;       // the text of solver.prototxt; empty where it is not there
  Json network, last_test;  // sections.h; null where their files are not there
};

// Throws Error with file and line where a file is damaged, and where the folder has no training
// and no test in it. Files that are not there are left out.
TrainingRun read_run(const std::string& folder);

}  // namespace orepa::tool
