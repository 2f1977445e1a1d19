// Options: what a prototxt says about one layer or solver, read by field name with the defaults of
// proto/orepa.proto, without any .pb.h, so that layers compile with every compiler.
//
// An Options is a small value: a part of a parsed message, and the table of source positions, so
// that an error found long after parsing still points at file, line and column. It shares both with
// the document that it comes from (NetSpec, SolverSpec in orepa/model_io.h) and keeps them alive.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace google::protobuf {
class Message;
}

namespace orepa {

class Positions;  // where each field stood in its file; src/core/positions.h

class Options {
 public:
  Options() = default;  // every field absent; only has() may be called
  // `positions` may be null: a message that was not read from text.
  Options(std::shared_ptr<const google::protobuf::Message> message,
          std::shared_ptr<const Positions> positions)
      : message_(std::move(message)), positions_(std::move(positions)) {}

  // Whether the field is present: set for a singular field, non-empty for a repeated one.
  bool has(const std::string& field) const;
  int size(
      const std::string& field) const;  // entries of a repeated field; 0 or 1 for a singular one

  bool repeated(const std::string& field) const;

  // Values of singular fields; the proto's default where absent. Throws Error where a number is not
  // finite. An unknown field name, or one of another type, is a bug in the caller and throws Error.
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

  // For src/io, src/engine and src/reparam; lives as long as any Options of the document.
  const google::protobuf::Message* proto() const { return message_.get(); }

 private:
  double finite(const std::string& field, int index, double value) const;
  Options part(const google::protobuf::Message& message) const;

  std::shared_ptr<const google::protobuf::Message> message_;
  std::shared_ptr<const Positions> positions_;
};

}  // namespace orepa
