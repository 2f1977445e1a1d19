#include "io/events/record.h"

#include <array>

namespace orepa {
namespace {

constexpr uint32_t kCastagnoli = 0x82f63b78;  // its bits in reverse

constexpr std::array<uint32_t, 256> remainders() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    table[byte] = byte;
    for (int bit = 0; bit < 8; ++bit)
      table[byte] = (table[byte] >> 1) ^ (table[byte] & 1 ? kCastagnoli : 0);
  }
  return table;
}

std::string little_endian(uint64_t number, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(number >> (8 * i) & 0xff);
  return out;
}

}  // namespace

uint32_t crc32c(const std::string& bytes) {
  static constexpr std::array<uint32_t, 256> kRemainders = remainders();
  uint32_t crc = ~0U;
  for (const char byte : bytes)
    crc = kRemainders[(crc ^ static_cast<unsigned char>(byte)) & 0xff] ^ (crc >> 8);
  return ~crc;
}

uint32_t masked_crc32c(const std::string& bytes) {
  const uint32_t crc = crc32c(bytes);
  return (crc >> 15 | crc << 17) + 0xa282ead8;
}

std::string record_of(const std::string& message) {
  const std::string length = little_endian(message.size(), 8);
  return length + little_endian(masked_crc32c(length), 4) + message +
         little_endian(masked_crc32c(message), 4);
}

}  // namespace orepa
