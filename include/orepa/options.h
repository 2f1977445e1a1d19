// Options: what a prototxt says about one layer or solver, read by field name with the defaults of
// proto/orepa.proto, without any .pb.h, so that layers compile with every compiler.
//
// An Options is a small value: a pointer into a parsed message that the owning document (NetSpec,
// SolverSpec in orepa/model_io.h) keeps alive, and into the table of source positions, so that an
// error found long after parsing still points at file, line and column.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace google::protobuf {
class Message;
}

namespace orepa {

class Positions;  // where each field stood in its file; src/io/positions.h

class Options {
 public:
  Options() = default;  // every field absent; only has() may be called
  Options(const google::protobuf::Message* message, const Positions* positions)
      : message_(message), positions_(positions) {}

  // Whether the field is present: set for a singular field, non-empty for a repeated one.
  bool has(const std::string& field) const;
  int size(
      const std::string& field) const;  // entries of a repeated field; 0 or 1 for a singular one

  bool repeated(const std::string& field) const;

  // Values of singular fields; the proto's default where absent. An unknown field name, or one of
  // another type, is a bug in the caller and throws Error.
  bool flag(const std::string& field) const;
  int64_t integer(const std::string& field) const;     // int32, uint32, int64
  double number(const std::string& field) const;       // float, double, any integer
  std::string string(const std::string& field) const;  // string
  std::string choice(const std::string& field) const;  // the name of an enum's value: "MAX"
  Options message(const std::string& field) const;     // a nested message (its defaults if absent)

  // Values of repeated fields.
  std::vector<int64_t> integers(const std::string& field) const;
  std::vector<double> numbers(const std::string& field) const;  // also of bools: 0 or 1
  std::vector<std::string> strings(const std::string& field) const;
  std::vector<Options> messages(const std::string& field) const;

  // "net.prototxt:39:5" of the field (of the message itself where `field` is empty or absent);
  // empty where the message was not read from a text file.
  std::string where(const std::string& field = "", int index = 0) const;

  const google::protobuf::Message* proto() const { return message_; }  // for src/io and src/graph
  const Positions* positions() const { return positions_; }

 private:
  const google::protobuf::Message* message_ = nullptr;
  const Positions* positions_ = nullptr;
};

}  // namespace orepa
