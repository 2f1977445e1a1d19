// Reparam: a net with plain convolutions to the same net with re-parameterised blocks, for
// training; the opposite of convert (orepa/convert.h).
//
// Every Convolution, with the BatchNorm and Scale behind it, becomes the style's block, by the rule
// of the publications (docs/orepa.md, "Re-parameterising a network"); what a style has no block for
// stays plain, and so does one with fields that orepa does not have. A block's output has the name
// of the last top that it replaces, and every other layer stays as it is, so the rest of the net
// and fine-tuning from the old weights still match. A net read with Unknown::kKeep is written as
// it was but for the blocks.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "orepa/device.h"
#include "orepa/model_io.h"

namespace orepa {

struct ReparamOptions {
  std::string style;    // one of reparam_styles()
  std::string include;  // regular expression (RE2's) for whole layer names; empty: all
  std::string exclude;  // the same; empty: none
};

struct ReparamReport {
  struct Row {
    std::string layer;
    std::string became;  // "ORepaConv, preset OREPA"; empty where it stays plain
    std::string note;    // why it stays plain, or what else there is to know
    // Of the block's output, relative to its largest number; absent where nothing was compared.
    std::optional<double> error;
  };
  std::vector<Row> rows;  // one a Convolution, in the order of the file
  // Types that orepa does not have; such layers are copied as they are, unread.
  std::set<std::string> unknown_types;
  // Over all values that both nets have, each called LAYER:TOP, those too that a layer in place
  // writes over.
  int values_compared = 0;
  double largest_error = 0;
  std::string largest_error_value;

  int rewritten() const;
};

std::vector<std::string> reparam_styles();  // alphabetical

// The net is looked at as phase TRAIN and TEST have it, at level 0 and without stages. Throws Error
// where the style is unknown, an expression is none or matches no Convolution, or neither phase
// makes a net. `report` may be null.
NetSpec reparam(const NetSpec& net, const ReparamOptions& options, ReparamReport* report = nullptr);

struct ReparamFiles {
  std::string output;                // the prototxt
  std::vector<std::string> weights;  // of the net as it is: .caffemodel or .h5; may be empty
  std::string output_weights;
  double tolerance = 1e-4;  // of every blob, relative to its largest number
};

// The same with files. With weights, every block starts as exactly the given convolution: the
// branches start as published, and the one that can be any kernel takes the difference; or, where
// each branch has a BatchNorm, the first takes the convolution and the last scale of the others
// starts at 0. All weights have to be there and to be used, and no field may be unknown. What was
// written is read back and run beside the given net on random input; throws Error, and leaves the
// files as they were, where a blob differs by more than the tolerance. Nothing is written where
// nothing is rewritten.
ReparamReport reparam_files(const NetSpec& net, const ReparamOptions& options,
                            const ReparamFiles& files, Device& device);

}  // namespace orepa
