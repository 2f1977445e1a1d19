// Registry: the named kinds of one family (layers, branches, solvers), which register themselves
// before main().
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "orepa/error.h"

namespace orepa {

// Entry has a member `name`. Function-local storage, so that the order of static constructors does
// not matter.
template <class Entry>
std::vector<Entry>& registry() {
  static std::vector<Entry> entries;
  return entries;
}

// Keeps the entries in alphabetical order.
template <class Entry>
void add_to_registry(Entry entry) {
  std::vector<Entry>& entries = registry<Entry>();
  const auto place =
      std::lower_bound(entries.begin(), entries.end(), entry,
                       [](const Entry& a, const Entry& b) { return a.name < b.name; });
  entries.insert(place, std::move(entry));
}

// Null where there is none of that name.
template <class Entry>
Entry* registered(const std::string& name) {
  for (Entry& entry : registry<Entry>())
    if (entry.name == name) return &entry;
  return nullptr;
}

// Throws Error that starts with `where` and names the nearest known entry.
template <class Entry>
const Entry& find_in_registry(const std::string& name, const std::string& where,
                              const std::string& kind) {
  if (const Entry* found = registered<Entry>(name)) return *found;
  std::vector<std::string> known;
  for (const Entry& entry : registry<Entry>()) known.push_back(entry.name);
  fail(where, "unknown ", kind, " \"", name, "\"", did_you_mean(name, known, ";"),
       " `orepa_tool layers` lists all that there are.");
}

}  // namespace orepa
