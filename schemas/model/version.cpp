#include "schemas/model/version.hpp"

#include "schemas/core/digits.hpp"

namespace headwater {

std::string Version::str() const {
  std::string text;
  text.reserve(36);
  append_digits(text, epoch, 3);
  text.push_back('-');
  append_digits(text, static_cast<std::uint64_t>(commit_number), 20);
  text.push_back('-');
  append_digits(text, sequence, 10);
  return text;
}

void put_version(std::string& out, const Version& version) {
  put_varint(out, version.epoch);
  put_signed(out, version.commit_number);
  put_varint(out, version.sequence);
  put_signed(out, version.at_ms);
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
