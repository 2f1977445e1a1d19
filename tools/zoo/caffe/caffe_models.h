// The nets of models/caffe: those that Caffe's users know, with the names under which their trained
// weights are public. Unlike the rest of the zoo they are written in Caffe's own words alone.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "caffe_networks.h"
#include "orepa/model_io.h"

namespace orepa::zoo {

struct CaffeModel {
  std::string name;   // of the folder: "googlenet"
  std::string title;  // for people, in front of its files
  void (*write)(CaffeNet& net);
  std::string recipe;  // what its solver has besides the net and snapshots; empty: for use only
};

const std::vector<CaffeModel>& caffe_models();
// Throws Error where there is none of that name.
const CaffeModel& caffe_model(const std::string& name);

NetSpec caffe_net(const CaffeModel& model, CaffeNet::File file, double width = 1);

// Content by path under models/.
std::map<std::string, std::string> caffe_files();

}  // namespace orepa::zoo
