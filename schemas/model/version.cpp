#include "schemas/model/version.hpp"

#include <cstdio>

namespace headwater {

std::string Version::str() const {
  char text[64];
  const int size = std::snprintf(text,
                                 sizeof text,
                                 "%03u-%020lld-%010llu",
                                 epoch,
                                 static_cast<long long>(commit_number),
                                 static_cast<unsigned long long>(sequence));
  return {text, static_cast<std::size_t>(size)};
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
