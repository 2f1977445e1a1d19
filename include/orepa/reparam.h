// Reparam: a net with plain convolutions to the same net with re-parameterised blocks, for
// training; the opposite of convert (orepa/convert.h).
//
// Every Convolution, with the BatchNorm and Scale behind it, becomes the style's block, by the rule
// of the publications (docs/orepa.md, "Re-parameterising a network"); what a style has no block for
// stays plain. A block's output has the name of the last top that it replaces, and every other
// layer stays as it is, so the rest of the net and fine-tuning from the old weights still match.
#pragma once
#include <string>
#include <vector>

#include "orepa/model_io.h"

namespace orepa {

struct ReparamOptions {
  std::string style;    // one of reparam_styles()
  std::string include;  // regular expression (ECMAScript) for whole layer names; empty: all
  std::string exclude;  // the same; empty: none
};

struct ReparamReport {
  struct Row {
    std::string layer;
    std::string became;  // "ORepaConv, preset OREPA"; empty where it stays plain
    std::string note;    // why it stays plain, or what else there is to know
  };
  std::vector<Row> rows;  // one a Convolution, in the order of the file

  int rewritten() const;
};

std::vector<std::string> reparam_styles();  // alphabetical

// The net is looked at as phase TRAIN and TEST have it, at level 0 and without stages. Throws Error
// where the style is unknown, an expression is none, or neither phase makes a net. `report` may be
// null.
NetSpec reparam(const NetSpec& net, const ReparamOptions& options, ReparamReport* report = nullptr);

}  // namespace orepa
