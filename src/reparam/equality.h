// Whether two nets compute the same numbers: each runs on its own, on the same random input.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "orepa.pb.h"
#include "orepa/model.h"

namespace orepa {

// For inference, with these blobs readable.
NetOptions proof_options(std::vector<std::string> keep = {});

// Blobs that both nets have, in the order of the first.
std::vector<std::string> common_blobs(const NetSpec& a, const NetSpec& b);

// "LAYER:TOP", the top by its number: a name for every value of a net, those too that a layer in
// place writes over.
std::string value_name(const std::string& layer, int top);
// The net with its blobs called so. Nothing is in place then, and every value can be read.
NetParameter named_by_value(const NetParameter& net);
// What value each blob of the net is at its end.
std::map<std::string, std::string> last_values(const NetParameter& net);

// The values of every parameter of `to` come from the one of the same name in `from`.
void copy_values(const Parameters& from, Parameters& to);

// Inputs that an Embed reads, and below which whole numbers they are.
std::map<std::string, int64_t> word_inputs(const NetSpec& net);

// One forward pass of each. REQUIRES: the same inputs, with these `words` among them.
void run_alike(Net& a, Net& b, const std::map<std::string, int64_t>& words = {});

struct Difference {
  double absolute = 0;
  double relative = 0;  // to the largest number of the blob in the first net
};

// Of a readable blob of both, after run_alike(). Infinite where a number of either is
// not finite.
Difference compare(const Net& a, const Net& b, const std::string& blob);
// Of a blob that is called `in_a` in the first net.
Difference compare(const Net& a, const Net& b, const std::string& blob, const std::string& in_a);

}  // namespace orepa
