// What the commands share around a net: the device, its weights, the numbers they print.
#pragma once
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "orepa/net.h"

namespace orepa::tool {

// Loads the files, as --weights_strict says, and tells `out` what was loaded: how many parameters
// have weights, have none there or weights of another shape, and which. Nothing where there are no
// files. If `complete`, throws Error where a parameter is in none of them.
void load_and_report(const std::vector<std::string>& weights, Parameters& parameters,
                     bool complete = false, std::ostream& out = std::cout);

// A line for every kind of field that orepa does not have: where, `fate`, and what it is.
std::string unknown_fields(const NetSpec& net, const std::string& fate);

// A line about a type of layers that orepa does not have.
std::string unknown_type(const std::string& type, const std::string& fate);

// Tells on the standard error stream what there is to say of the net's precision.
void report_precision(const Net& net);

// Tells on the standard error stream what sources of data found, Net::take_notes().
void report_notes(const std::vector<std::string>& notes);

// The name of the first of the layers that run as one; the row's type names them all.
std::string first_name(const LayerReport& row);

// The most memory that this process has held so far, in bytes.
int64_t peak_resident_bytes();

}  // namespace orepa::tool
