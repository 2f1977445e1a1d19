// TFRecord: the frame around every message of an event file,
//
//   length (8 bytes)   checksum of the length (4)   the message   checksum of the message (4),
//
// little-endian. A checksum is the CRC-32C (Castagnoli), turned and shifted, so that checksums of
// data that holds checksums are not degenerate.
#pragma once
#include <cstdint>
#include <string>

namespace orepa {

uint32_t crc32c(const std::string& bytes);
uint32_t masked_crc32c(const std::string& bytes);
std::string record_of(const std::string& message);

}  // namespace orepa
