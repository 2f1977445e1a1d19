// Bytes read as a Datum message: what protobuf itself takes for one is one, with the same in it.
// (Generated code refuses some numbers of fields that are written in too many bytes.)
#include "data/sources/datum.h"

#include <cstdlib>

#include "orepa.pb.h"
#include "tests/fuzz/support.h"

using namespace orepa;

namespace {

class Named : public DataSource {
 public:
  int64_t size() const override { return 1; }
  void read(int64_t, Record&) const override {}
  std::string name(int64_t) const override { return "the sample"; }
};

void require_equal(const Record& record, const Datum& datum) {
  const std::string content(record.content.begin(), record.content.end());
  const bool numbers = record.kind == Record::Kind::kNumbers;
  const std::string expected =
      numbers ? std::string(reinterpret_cast<const char*>(datum.float_data().data()),
                            static_cast<size_t>(datum.float_data_size()) * sizeof(float))
              : datum.data();
  if (content != expected || record.label != datum.label() || record.channels != datum.channels() ||
      record.height != datum.height() || record.width != datum.width() ||
      (record.kind == Record::Kind::kFile) != datum.encoded())
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const google::protobuf::LogSilencer silence;
  const Named source;
  Record record;
  Datum datum;
  const bool is_datum = datum.ParseFromArray(data, static_cast<int>(size));
  try {
    read_datum({data, size}, source, 0, record);
    if (is_datum) require_equal(record, datum);
  } catch (const Error& error) {
    fuzz::require_place(error.what(), "the sample");
    if (is_datum && std::string(error.what()).find("is no Datum message") != std::string::npos)
      std::abort();
  }
  return 0;
}
