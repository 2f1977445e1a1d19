// LmdbWriter: adds to a database, in the order of keys.
#pragma once
#include <memory>
#include <string>

namespace orepa {

class LmdbWriter {
 public:
  // Opens what is there, or begins a new one. Throws Error where the folder cannot be written.
  explicit LmdbWriter(const std::string& folder);
  ~LmdbWriter();

  // The last key; empty where there is none.
  std::string last_key() const;
  // REQUIRES: `key` comes after last_key(). Throws Error where it has 512 bytes or more, and where
  // the disk is full.
  void add(const std::string& key, const std::string& value);
  // What was added survives the end of the process, and a loss of power.
  void commit();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace orepa
