// Styles: what each makes of one convolution.
//
// To add one: write src/reparam/expand/NAME.cpp with a function and a StyleRegistrar.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "reparam/expand/chains.h"

namespace orepa {

struct Block {
  std::vector<LayerParameter> layers;
  std::string name;  // for people: "ORepaConv, preset OREPA"
  std::string note;  // what else there is to know; may be empty
  // For weights of the net as it was: which of the layers take the numbers of which of its layers
  // (an ORepaConv so that its kernel is the old one), and which Scale layers have to start at 0 so
  // that the other branches add nothing.
  std::map<std::string, std::string> takes;
  std::vector<std::string> silent;
  std::string end;  // the last of the layers that it replaces; set by expand()
};

struct Style {
  std::string name;
  bool takes_norm = false;  // whether BatchNorm and Scale are part of the block or stay behind it
  // `exact`: the block has to be able to start as any given kernel. Throws Error with the reason
  // where the style leaves that convolution plain.
  Block (*expand)(const Chain& chain, bool exact);
};

const std::vector<Style>& styles();  // alphabetical

struct StyleRegistrar {
  explicit StyleRegistrar(Style style);
};

// What a style needs; throw Error with the reason where it is not so: a square, odd kernel of such
// a size, and a known number of channels.
void require_kernel(const Chain& chain, int64_t smallest, int64_t largest);
void require_channels(const Chain& chain);

}  // namespace orepa
