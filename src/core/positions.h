// Positions: where each field of a parsed message stood in its file.
#pragma once
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>

namespace orepa {

class Positions {
 public:
  explicit Positions(std::string file) : file_(std::move(file)) {}
  // Of `copy`, which equals `part`, a message of `whole`: the same places in the same file.
  Positions(const Positions& whole, const google::protobuf::Message& part,
            const google::protobuf::Message& copy);
  Positions(const Positions&) = delete;
  Positions& operator=(const Positions&) = delete;

  google::protobuf::TextFormat::ParseInfoTree* tree() { return tree_.get(); }
  // After parsing: notes the place of `root` and of every message in it.
  void index(const google::protobuf::Message& root);

  // From now on, `copy`, which equals `part`, a message of `whole`, stands where that one does.
  // REQUIRES: it is the same `whole` each time, and nothing else was parsed.
  void adopt(const Positions& whole, const google::protobuf::Message& part,
             const google::protobuf::Message& copy);

  // From now on, entry `index` of a field (-1: all of it; the message itself where `field` is
  // empty) stands at `place`: its value comes from elsewhere.
  void note(const google::protobuf::Message& message, const std::string& field, int index,
            const std::string& place);

  // "net.prototxt:39:5": of entry `index` of a field, or of the message where the field is empty or
  // absent. Just the file where the message did not come from it.
  std::string where(const google::protobuf::Message& message, const std::string& field,
                    int index) const;

 private:
  using Tree = google::protobuf::TextFormat::ParseInfoTree;
  using Location = google::protobuf::TextFormat::ParseLocation;
  void index(const google::protobuf::Message& message, const Tree* tree);
  // Throws Error where a text is longer than any name or path.
  void require_short(const google::protobuf::Message& message,
                     const google::protobuf::FieldDescriptor& field) const;

  struct Entry {
    Location start;  // of the message
    const Tree* tree = nullptr;
  };
  std::string file_;
  std::shared_ptr<Tree> tree_ = std::make_shared<Tree>();  // owns those of the entries
  std::unordered_map<const google::protobuf::Message*, Entry> entries_;
  std::map<std::tuple<const google::protobuf::Message*, std::string, int>, std::string> notes_;
};

}  // namespace orepa
