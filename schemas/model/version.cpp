#include "schemas/model/version.hpp"

#include <array>

namespace headwater {

namespace {

void append_padded(std::string& out, std::uint64_t value, std::size_t width) {
  std::array<char, 20> digits;
  std::size_t at = digits.size();
  for (; value != 0 || digits.size() - at < width; value /= 10)
    digits[--at] = static_cast<char>('0' + value % 10);
  out.append(digits.data() + at, digits.size() - at);
}

}  // namespace

std::string Version::str() const {
  std::string text;
  text.reserve(36);
  append_padded(text, epoch, 3);
  text.push_back('-');
  append_padded(text, static_cast<std::uint64_t>(commit_number), 20);
  text.push_back('-');
  append_padded(text, sequence, 10);
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
