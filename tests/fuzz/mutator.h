// Mutations of a text message that stay near what can be parsed: fields set to values at the edges
// of their types, to names that stand elsewhere in the message, to types that are registered;
// messages copied, moved and removed.
#pragma once
#include <cstddef>
#include <cstdint>

namespace google::protobuf {
class Message;
}

namespace orepa::fuzz {

// What libFuzzer calls LLVMFuzzerCustomMutator. `message` is an empty one of the kind that the text
// holds. Mutates bytes where the text is no such message, and now and then where it is.
size_t mutate_text(google::protobuf::Message& message, uint8_t* data, size_t size, size_t most,
                   unsigned seed);

}  // namespace orepa::fuzz
