#include "schemas/model/version.hpp"

#include <array>

#include "schemas/core/digits.hpp"

namespace headwater {

void append_version(std::string& out, const Version& version) {
  append_digits(out, version.epoch, 3);
  out.push_back('-');
  append_digits(out, static_cast<std::uint64_t>(version.commit_number), 20);
  out.push_back('-');
  append_digits(out, version.sequence, 10);
}

std::string Version::str() const {
  std::string text;
  text.reserve(36);
  append_version(text, *this);
  return text;
}

char* write_version(char* to, const Version& version) {
  to = write_varint(to, version.epoch);
  to = write_signed(to, version.commit_number);
  to = write_varint(to, version.sequence);
  return write_signed(to, version.at_ms);
}

void put_version(std::string& out, const Version& version) {
  std::array<char, kVersionRoom> bytes;
  out.append(bytes.data(), write_version(bytes.data(), version));
}

Version read_version(ByteReader& reader) {
  Version version;
  version.epoch = static_cast<std::uint32_t>(reader.varint());
  version.commit_number = reader.signed_varint();
  version.sequence = reader.varint();
  version.at_ms = reader.signed_varint();
  return version;
}

}  // namespace headwater
